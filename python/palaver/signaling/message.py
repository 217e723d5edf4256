"""Message: one request on its way from the socket to its handler."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Raw, Struct, UnsetType

from palaver.protocol.codec import Codec
from palaver.protocol.errors import ProtocolError
from palaver.rooms.participant import Participant
from palaver.rooms.room import Room
from palaver.rooms.session import SignalingSession
from palaver.signaling.ports import Connection, Span
from palaver.signaling.rate_limit import Meter

_NONE: Final = Raw(b"")


class Caller:
    """One connection with what belongs to it alone: its session, what it has used, its recent errors."""

    __slots__ = (
        "address",
        "batches",
        "connection",
        "early",
        "errors",
        "identity",
        "meter",
        "refusals",
        "session",
        "since",
        "waiting",
    )

    def __init__(
        self, connection: Connection, session: SignalingSession, meter: Meter, address: Meter
    ) -> None:
        self.connection = connection
        self.session = session
        self.meter = meter
        """Its own."""
        self.address = address
        """Its address's, shared with all connections from there."""
        self.identity: Meter | None = None
        """Its identity's, shared likewise; None before authentication."""
        self.batches = 0
        """Those that are not answered yet."""
        self.early = 0
        """Requests before authentication."""
        self.errors: list[float] = []
        """When it was refused lately, but for rate limits."""
        self.refusals = 0
        """How often in a row it went over a rate limit."""
        self.since = 0.0
        """When it was connected; set by whoever has the clock."""
        self.waiting: dict[Message, Batch | None] = {}
        """Requests that a media node works on, with the batch that they came in."""

    def take_waiting(self, message: Message) -> bool:
        """Takes out a request that is waiting; False: it has been answered already."""
        if message not in self.waiting:
            return False
        del self.waiting[message]
        return True

    @property
    def meters(self) -> dict[str, Meter]:
        """All that it is charged to, the own first."""
        meters = {"connection": self.meter, "address": self.address}
        return meters if self.identity is None else meters | {"identity": self.identity}


class Message(Struct, eq=False, gc=False):
    """A request, decoded as far as needed. A handler reads it and may set `then_close`."""

    caller: Caller
    codec: Codec
    method: str
    id: int | str | UnsetType
    now: float
    size: int
    """Bytes it came in."""
    params: Any = None
    raw: Raw = _NONE
    """Params that are not decoded yet, where `params` is None."""
    corks: bool = False
    """Its reply must go out before its session is sent any event: it took a seat."""
    span: Span | None = None
    """Tells a collector of traces how it went; None where there is none."""
    then_close: tuple[int, str] | None = None
    """Close code and reason, once the reply is out."""
    work: int = 0
    """How many things it had looked at or changed, for a handler that goes through many: they count as requests."""

    @property
    def session(self) -> SignalingSession:
        return self.caller.session

    @property
    def seat(self) -> tuple[Room, Participant]:
        """The caller's room and seat. Raises ProtocolError wrong_state where it has none (any more)."""
        session = self.caller.session
        if session.room is None or session.participant is None:
            raise ProtocolError("wrong_state", "join a room first")
        return session.room, session.participant


class Batch:
    """Gathers the replies of a batch, to be sent together (JSON-RPC 2.0 § 6); events follow the whole batch."""

    __slots__ = ("_waiting", "codec", "messages", "replies")

    def __init__(self, codec: Codec, waiting: int) -> None:
        self.codec = codec
        self.replies: list[bytes] = []
        self.messages: list[Message] = []
        self._waiting = waiting

    def add(self, reply: bytes | None, message: Message | None) -> bool:
        """Returns whether that was the last of it."""
        if reply is not None:
            self.replies.append(reply)
        if message is not None:
            self.messages.append(message)
        self._waiting -= 1
        return self._waiting == 0
