"""What the native load core carries out, as data: who connects, what gets them in, and what flows from whom to whom.

Nothing here knows a protocol above WebSocket: palaver's own is in `palaver.bench.wire`, and other servers can be loaded
by plans of their own (`benches/peers`). `palaver.core.LoadRun` reads the attributes of these Structs.
"""

from __future__ import annotations

from types import EllipsisType
from typing import Final

from msgspec import Struct

WORD: Final = "word"
Part = bytes | int | str | EllipsisType | None
"""Bytes; what the client of that index captured while it got in; WORD, one of the client's own words; ``...``, the number of the
message in its flow; or None, the number that the client who says it was told last (`Plan.numbered`)."""


class Message(Struct, frozen=True):
    """A message with gaps that are filled when it is sent."""

    parts: tuple[Part, ...]
    binary: bool = False


class Step(Struct, frozen=True):
    """One step of getting in: say something, then wait for a message that has `expect` in it."""

    expect: bytes
    send: Message | None = None
    capture: bytes | None = None
    """What stands behind this in that message, up to the next ``"``, ``,``, ``}`` or ``<``, is remembered."""


class Client(Struct, frozen=True):
    target: str
    """Path and query of the upgrade."""
    headers: str = ""
    """Further header lines, each ended by CRLF."""
    opening: tuple[Step, ...] = ()
    goodbye: Message | None = None
    """Said before leaving, so that the server closes. None: a close frame."""
    source: str | None = None
    """The local IP address to connect from."""
    reads: bool = True
    """False: stops reading once it is in, and has a small receive buffer."""
    words: tuple[bytes, ...] = ()
    """What fills WORD in its opening: another one each time that it comes, by turns."""
    churns: int | None = None
    """Index of the stage as part of which it comes and goes; None: it stays for the whole run."""


class Stage(Struct, frozen=True):
    """What is measured together.

    With a `window` each flow has so many messages (or bursts) under way; with a `rate` so many per second are sent
    over all flows by turns, and latency counts from when each was due. A stage that clients churn in has no flows:
    with a rate so many come per second, without one they come again at once.
    """

    name: str
    window: int | None = None
    rate: float | None = None
    churn: bool = False


class Inquiry(Struct, frozen=True):
    """How to learn what became of messages that do not arrive, where a server tells nobody that it refused a notification."""

    fence: Message
    """A request that is answered after all that was sent before it. Said when a message is overdue."""
    fenced: bytes
    """Stands in the first 256 bytes of its answer, whatever that is."""
    requests: tuple[Message, ...] = ()
    """The flow's messages as requests, sent from when one was lost: refusals of these are told.
    Empty: they are requests anyway."""


class Flow(Struct, frozen=True):
    """One sender's messages."""

    stage: int
    sender: int
    receivers: tuple[int, ...]
    messages: tuple[Message, ...]
    """Sent by turns."""
    arrival: bytes
    """Stands in the first 256 bytes of what the receivers get."""
    reply: bytes | None = None
    """The same of the reply that the sender gets; None: there is none."""
    prologue: Message | None = None
    """Sent once, before the first."""
    epilogue: Message | None = None
    """Sent once by the sender and by each receiver, when the last burst of `limit` has arrived."""
    burst: int = 1
    limit: int | None = None
    """Bursts sent at most."""
    inquiry: Inquiry | None = None
    """None: what does not arrive is waited for."""


class Tls(Struct, frozen=True):
    name: str
    """That the server's certificate must have."""
    roots: tuple[bytes, ...]
    """Certificates that are trusted, in DER."""


class Timing(Struct, frozen=True):
    """How long each phase takes, in seconds."""

    connect: float = 60.0
    settle: float = 0.2
    """The run is settled once nothing has come in for this long (at most ten times it)."""
    warm_up: float = 1.0
    measure: float = 10.0
    drain: float = 2.0
    rounds: bool = False
    """Warm-up, measuring and draining wait until they are asked for, and come as often as that, with everybody connected."""


class Plan(Struct, frozen=True):
    """A whole run."""

    host: str
    """An IP address."""
    port: int
    authority: str
    """The Host header."""
    clients: tuple[Client, ...]
    stages: tuple[Stage, ...] = ()
    flows: tuple[Flow, ...] = ()
    timing: Timing = Timing()
    connecting: int = 128
    """Clients that are connecting at once, before the stages begin."""
    error: bytes = b""
    """Stands in the first 256 bytes of every message that is refused."""
    reason: bytes = b""
    """Stands before the word that tells why."""
    refused: bytes = b""
    """Stands before the number of the request that is refused. Empty: refusals do not tell."""
    after: bytes = b""
    """Stands before the milliseconds after which it may be tried again. A closed loop waits as long."""
    moved: int | None = None
    """The close code by which the server sends a client that is not in yet to another address: the words of the reason
    that begin with ``ws://`` or ``wss://``, best first. It follows, at most four times. None: a close is a refusal."""
    keepalive: tuple[bytes, bytes] | None = None
    """A ping of the protocol above WebSocket, and the text that answers it."""
    numbered: bytes | None = None
    """Stands before the number in what a client is told."""
    tls: Tls | None = None
