"""The events of a room. The name on the wire is the class's name with a small first letter.

`epoch`, `seq` and `prev` are not fields: the codec puts them in front, for each receiver (docs/protocol.md § 1).
"""

from __future__ import annotations

from typing import ClassVar, Literal

from msgspec import Struct

from palaver.protocol.types import Candidate, Kind, Role, Source


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
    sdp: str
    generation: int
    glare: bool = False


class TransportAnswer(Event):
    from_: str
    transport: str
    sdp: str
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
    peer: str
    producers: list[str]
    by: str


class MediaUnmuted(Event):
    peer: str
    producers: list[str]
    by: str


class YouMuted(Event):
    by: str
    producers: list[str]


class YouUnmuteRequested(Event):
    by: str
    producers: list[str]
