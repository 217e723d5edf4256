"""What the gateway asks of the one who understands the messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from palaver.signaling.ports import Connection

Message = bytes
"""One whole message, without frames."""


class MessageHandler(Protocol):
    """Called on the loop, synchronously, one call at a time.

    What it raises is logged and closes that connection with 1011. A handler that has `received_together(connection, messages)`
    as well is given by it what came in one piece, and stops by itself where the connection closes.
    """

    def connected(self, connection: Connection) -> None:
        """The upgrade is done: `connection.bearer` and `.address` are known, `.binary` with the first message."""

    def received(self, connection: Connection, message: Message) -> None:
        """One whole data message; text is valid UTF-8."""

    def disconnected(self, connection: Connection, code: int) -> None:
        """Exactly once for each `connected`, and nothing follows. `code` is the CLOSE code that came or that
        was sent first; 1005 for a CLOSE without one, 1006 where no CLOSE came."""


def receiver(handler: MessageHandler) -> Callable[[Connection, list[Message]], None]:
    """What gives a handler messages that came in one piece."""
    together: Callable[[Connection, list[Message]], None] | None = getattr(handler, "received_together", None)
    if together is not None:
        return together

    def one_by_one(connection: Connection, messages: list[Message]) -> None:
        for message in messages:
            if connection.is_open:
                handler.received(connection, message)

    return one_by_one
