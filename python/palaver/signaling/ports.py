"""What the signaling side asks of the outside: a socket, a media node, a room directory.

A port belongs to the one who calls it. The gateway, the media package and the cluster fill these in; the tests
fill them in with the real things or with a double that obeys the same suite.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

from msgspec import Struct

from palaver.errors import PalaverError
from palaver.protocol.types import Candidate as Candidate
from palaver.protocol.types import Kind as Kind
from palaver.rooms.media import MediaOrders
from palaver.rooms.media import TransportHandle as TransportHandle

if TYPE_CHECKING:
    from palaver.signaling.rulings import Ruling

Direction = Literal["send", "recv"]
TransportState = Literal["new", "connecting", "connected", "failed", "closed"]


class BadSdp(PalaverError):
    """An SDP that cannot be parsed or applied; `line` counts from 1 where it is known."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


class MediaUnavailable(PalaverError):
    """The media node cannot serve this now; another may."""


class Connection(Protocol):
    """One client's socket, as signaling sees it. All calls are synchronous, never raise and never block."""

    id: int
    """Unique within the process, never used again."""
    address: str
    """The client's IP address (the proxy's word for it, where the proxy is trusted)."""
    bearer: str | None
    """The token that came as subprotocol `bearer.<jwt>` (or in the query, where the operator turned that on)."""
    host: str
    """The host that the client asked for, without a port: a name, an IPv4 address, or an IPv6 address in brackets."""
    binary: bool
    """Whether the session speaks MessagePack in binary frames (True) or JSON in text frames; fixed by its first frame."""
    authenticated: bool
    """Set by signaling: a connection that is not authenticated in time is closed, and has the small message limit."""

    @property
    def is_open(self) -> bool:
        """Whether neither side has begun to close: what comes in counts no more otherwise."""
        ...

    @property
    def is_slow(self) -> bool:
        """Whether the client has read so little of what it was sent that droppable messages are shed."""
        ...

    def send(self, message: bytes, droppable: bool = False) -> bool:
        """Queues one message for the client. Returns False where it was not: it is droppable and the queue is long,
        or the connection closes."""
        ...

    def send_frame(self, frame: bytes, droppable: bool = False, count: int = 1) -> bool:
        """The same for a message that is a whole frame already (RFC 6455 § 5.2): text, or binary where `binary` is True. Or for
        `count` of them, one behind the other."""
        ...

    def close(self, code: int, reason: str = "") -> None:
        """Sends what is queued, then a CLOSE frame. `code` is an RFC 6455 or palaver close code; later sends are ignored."""


class Span(Protocol):
    """One request under way, as a collector of traces sees it."""

    def end(self, session: str, room: str | None, code: int = 0, reason: str = "") -> None:
        """Called once, with the session and the room of now; `code` and `reason` are those of an error reply."""


class Tracer(Protocol):
    """Where requests are told of. Never raises and never blocks."""

    def begin(self, method: str, traceparent: str | None, room: str | None) -> Span:
        """`room` is where the caller sits before the request, which is all there is to say of a `leave`."""
        ...


class Answer(Struct, frozen=True):
    sdp: str
    consumers: dict[str, str]
    """Consumer id → mid of the media section that carries it, for all consumers that have one."""


class MediaEvents(Protocol):
    """What the media node reports. Called on the loop, in order, never from within a call of MediaNode."""

    def transport_state(self, handle: TransportHandle, state: TransportState) -> None: ...


class MediaNode(MediaOrders, Protocol):
    """An SFU behind signaling: MediaOrders and what follows.

    The synchronous verbs only note what is wanted and never fail for unknown ids. Order matters only per transport;
    the node keeps it. Every `async` verb raises BadSdp for an SDP it cannot apply and MediaUnavailable when it cannot
    serve at all; then the transport is as it was before.
    """

    node: str
    """The node's id; every handle carries it."""

    async def accept_offer(self, handle: TransportHandle, direction: Direction, sdp: str) -> Answer:
        """Applies a client's offer (creating the transport at need) and returns the complete answer, all candidates in it."""
        ...

    async def make_offer(self, handle: TransportHandle) -> Answer:
        """Makes the node's own offer for a transport with consumers (creating it at need); `sdp` is the offer."""
        ...

    async def accept_answer(self, handle: TransportHandle, sdp: str) -> None:
        """Applies the client's answer to the last offer of `make_offer`."""
        ...

    def add_candidates(self, handle: TransportHandle, candidates: Sequence[Candidate]) -> None: ...

    def produce(
        self, handle: TransportHandle, producer: str, kind: Kind, mid: str | None, paused: bool
    ) -> None:
        """Names a track that the transport sends: the one with this mid, else the first unnamed one of that kind."""

    def consume(
        self, handle: TransportHandle, consumer: str, producer: str, kind: Kind, paused: bool
    ) -> str | None:
        """Lets the transport receive a producer of the same room. Returns the mid, where the transport already
        has a free media section of that kind; None where one has to be offered first."""
        ...

    def stats(self) -> dict[str, int]:
        """Counters for metrics: transports, producers, consumers, framesForwarded."""
        ...


class Ledger(Protocol):
    """Where rulings are kept over a restart."""

    def load(self) -> Iterable[Ruling]:
        """The rulings that are not over yet."""
        ...

    def record(self, rulings: Sequence[Ruling]) -> None:
        """Keeps all of them or none, each in place of one with the same id; comes back when they are durable.

        Raises OSError where they cannot be.
        """

    def erase(self, id: str) -> None:
        """Forgets one, durably. Raises OSError where it cannot."""

    def purge(self, now: float) -> None:
        """Forgets those that are over at `now`, in seconds since the Unix epoch. Raises OSError where it cannot."""

    def news(self) -> Mapping[str, Ruling | None] | None:
        """What others who keep rulings here have changed since `load` or the last call, by id; None for what is gone.

        One's own changes may be among it. None: so much that only `load` tells. Never raises: what cannot be read now
        comes later.
        """


class RoomDirectory(Protocol):
    """Who owns a room, at which epoch. A single node: always itself."""

    def owner(self, room: str) -> tuple[str, int]:
        """Returns (node, epoch); a room that is opened now gets this epoch or a higher one.

        It must be higher than any that a room of this name had before this process: a life of a room is (room, epoch).
        """
        ...

    def elsewhere(self, room: str, host: str) -> str | None:
        """The WebSocket URL at which a room's owner takes clients who asked for `host`; None: here."""
        ...


class Elsewhere(PalaverError):
    """A join of a room that another process owns: the client is sent to `url`, and nothing has been changed."""

    def __init__(self, url: str) -> None:
        super().__init__(f"the room is at {url}")
        self.url = url
