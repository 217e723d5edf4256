"""The endpoint that the Autobahn suite talks to: the gateway with a handler that sends back what it gets."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))

from palaver.gateway import ClientGateway
from palaver.gateway.message_handler import Message
from palaver.settings.tree import GatewaySettings
from palaver.signaling.ports import Connection


class Echo:
    """Trusts everybody, so that the limits are those of an authenticated client."""

    def connected(self, connection: Connection) -> None:
        connection.authenticated = True

    def received(self, connection: Connection, message: Message) -> None:
        connection.send(bytes(message))

    def disconnected(self, connection: Connection, code: int) -> None:
        """Nothing to tidy up."""


async def main() -> None:
    gateway = ClientGateway(GatewaySettings(path="/", port=0), Echo())
    await gateway.start()
    print(gateway.address[1], flush=True)
    # Ends when whoever started it goes away and closes our standard input.
    await asyncio.get_running_loop().run_in_executor(None, os.read, sys.stdin.fileno(), 1)
    await gateway.close()


if __name__ == "__main__":
    uvloop.run(main())
