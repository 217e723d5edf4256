"""A client over aiohttp's WebSocket: JSON, no more than it is told to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from harness.node import RunningNode


class Guest:
    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.events: list[dict[str, Any]] = []
        self.peer = ""

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """The result; events that came before it are kept. Raises KeyError for an error reply."""
        await self.socket.send_json({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        while True:
            message = await self.socket.receive_json(timeout=5)
            if "method" not in message:
                result: dict[str, Any] = message["result"]
                return result
            self.events.append(message)

    async def closed(self) -> int:
        """Reads to the end, keeps the events, and returns the close code."""
        async with asyncio.timeout(5):
            async for message in self.socket:
                self.events.append(message.json())
        assert self.socket.close_code is not None
        return self.socket.close_code


@asynccontextmanager
async def guest(node: RunningNode, identity: str, room: str = "room", **join: Any) -> AsyncIterator[Guest]:
    """Has joined while the block runs."""
    role = join.pop("role", "participant")
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(node.url, protocols=["palaver.v1"]) as socket,
    ):
        one = Guest(socket)
        reply = await one.call("join", room=room, token=node.token(identity, role=role), **join)
        one.peer = reply["you"]["peer"]
        yield one
