"""The handler of a gateway that was given none: keeps connections and messages until they are fetched."""

from __future__ import annotations

from palaver.gateway.connection import WebSocketConnection
from palaver.gateway.message_handler import Message
from palaver.gateway.pull import BACKLOG_CONNECTIONS, Inbox, Queue
from palaver.signaling.ports import Connection

_TRY_AGAIN_LATER = 1013


class PullHandler:
    """Fills `accepted` and each connection's inbox; both are bounded."""

    def __init__(self) -> None:
        self.accepted: Queue[WebSocketConnection] = Queue()

    def connected(self, connection: Connection) -> None:
        socket = _socket(connection)
        if len(self.accepted) >= BACKLOG_CONNECTIONS:
            socket.close(_TRY_AGAIN_LATER, "too many connections wait to be accepted")
            return
        socket.inbox = Inbox(socket.pause_for_inbox, socket.resume_after_inbox)
        self.accepted.put(socket)

    def received(self, connection: Connection, message: Message) -> None:
        inbox = _socket(connection).inbox
        if inbox is not None:
            inbox.put(message)

    def disconnected(self, connection: Connection, code: int) -> None:
        inbox = _socket(connection).inbox
        if inbox is not None:
            inbox.end()


def _socket(connection: Connection) -> WebSocketConnection:
    assert isinstance(connection, WebSocketConnection), "the gateway makes no other connections"
    return connection
