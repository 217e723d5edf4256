"""The events of a room. The name on the wire is the class's name with a small first letter.

`epoch`, `seq` and `prev` are not fields: the codec puts them in front, for each receiver (docs/protocol.md § 1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from msgspec import Raw, Struct

from palaver.protocol.types import Candidate, Encoding, Kind, Role, Source

if TYPE_CHECKING:
    SdpText = str | Raw
    """A Raw is encoded already, in the encoding of its receiver."""
else:
    SdpText = str  # what the schema says, and what everybody reads


class Event(Struct, rename="camel", omit_defaults=True):
    """Base of all events. `droppable`: shed when the reader is slow. `of_producers`: not told to `subscribe:"none"`."""

    method: ClassVar[str] = ""
    droppable: ClassVar[bool] = False
    of_producers: ClassVar[bool] = False

    def __init_subclass__(cls, **_: object) -> None:
        cls.method = cls.__name__[0].lower() + cls.__name__[1:]


class PeerJoined(Event):
    peer: str
    identity: str
    role: Role
    name: str = ""
    attributes: dict[str, str] = {}


class PeerLeft(Event):
    peer: str
    reason: Literal["left", "timeout", "kicked", "replaced", "closed"]
    by: str | None = None


class PeerSuspended(Event):
    peer: str


class PeerResumed(Event):
    peer: str


class ProducerAdded(Event):
    of_producers: ClassVar[bool] = True

    id: str
    peer: str
    kind: Kind
    source: Source
    paused: bool
    label: str = ""


class ProducerClosed(Event):
    of_producers: ClassVar[bool] = True

    id: str
    peer: str
    reason: str = ""


class ProducerPaused(Event):
    of_producers: ClassVar[bool] = True

    id: str
    peer: str


class ProducerResumed(Event):
    of_producers: ClassVar[bool] = True

    id: str
    peer: str


class ConsumerClosed(Event):
    id: str
    producer: str
    reason: str = ""


class TransportOffer(Event):
    from_: str
    transport: str
    sdp: SdpText
    generation: int
    glare: bool = False


class TransportAnswer(Event):
    from_: str
    transport: str
    sdp: SdpText
    generation: int


class TransportIce(Event):
    from_: str
    transport: str
    generation: int
    candidates: list[Candidate | str]
    end: bool = False


class TransportState(Event):
    transport: str
    state: Literal["new", "connecting", "connected", "failed", "closed"]


class MediaMuted(Event):
    of_producers: ClassVar[bool] = True

    peer: str
    producers: list[str]
    by: str


class MediaUnmuted(Event):
    of_producers: ClassVar[bool] = True

    peer: str
    producers: list[str]
    by: str


class YouMuted(Event):
    by: str
    producers: list[str]


class YouUnmuteRequested(Event):
    by: str
    producers: list[str]


class ProducerReplaced(Event):
    of_producers: ClassVar[bool] = True

    id: str
    peer: str
    source: Source
    generation: int
    label: str = ""
    mid: str | None = None


class ProducerLayers(Event):
    id: str
    layers: list[Encoding]
    version: int


class ProducerWanted(Event):
    """To the publisher: the spatial layers that anyone still watches; none: it may stop encoding."""

    id: str
    layers: list[int]


class ConsumerLayers(Event):
    id: str
    spatial: int
    temporal: int


class TransportRestart(Event):
    from_: str
    transport: str
    generation: int
    reason: str = ""


class PeerQuality(Event):
    droppable: ClassVar[bool] = True

    peer: str
    score: float
    trend: Literal["up", "steady", "down"]


class RoomLocked(Event):
    by: str
    mode: Literal["closed", "knock"]
    message: str = ""


class RoomUnlocked(Event):
    by: str


class PeerKnocking(Event):
    identity: str
    name: str = ""


class YouKicked(Event):
    by: str
    reason: str = ""
    ban_id: str | None = None


class PeerRole(Event):
    peer: str
    role: Role
    by: str


class YouRole(Event):
    role: Role
    grants: dict[str, Any]
    by: str


class YouToken(Event):
    """Half of the token's life is over: here is a new one, or (without `token`) bring one by refreshToken."""

    expires_at: int
    token: str | None = None


class Trace(Event):
    droppable: ClassVar[bool] = True

    peer: str
    name: str
    t: int | float | None = None
    attributes: dict[str, Any] = {}
    traceparent: str | None = None
