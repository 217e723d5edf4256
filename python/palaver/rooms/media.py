"""What a participant sends and receives: Producer, Consumer, WebRtcTransport."""

from __future__ import annotations

from functools import partial
from typing import Literal, Protocol

from msgspec import Struct

from palaver.protocol.methods.consumer import CreateConsumerResult
from palaver.protocol.methods.producer import CreateProducerResult, PauseBits, ProducerInfo
from palaver.protocol.methods.transport import SdpOfferResult
from palaver.protocol.types import Candidate, Encoding, Kind, Source
from palaver.rooms.timers import Timer, Timers

EARLY_CANDIDATES = 64
"""Candidates kept per sender before the offer they belong to (protocol § 5, iceCandidate)."""
EARLY_SECONDS = 45.0


class TransportHandle(Struct, frozen=True):
    """Names one WebRTC transport at the media node: whose it is and which."""

    node: str
    """The media node that it lives on."""
    room: str
    peer: str
    transport: str


class MediaOrders(Protocol):
    """What a room tells its media node. The verbs only note what is wanted; unknown ids are ignored."""

    def pause_producer(self, room: str, producer: str, paused: bool) -> None: ...

    def move_producer(self, room: str, producer: str, mid: str) -> None:
        """The producer's track is now in another media section of its transport."""

    def pause_consumer(self, room: str, consumer: str, paused: bool) -> None: ...

    def close_producer(self, room: str, producer: str) -> None: ...

    def close_consumer(self, room: str, consumer: str) -> None: ...

    def close_transport(self, handle: TransportHandle) -> None: ...


class Producer(Struct, eq=False):
    id: str
    peer: str
    identity: str
    """Its owner's."""
    transport: str
    kind: Kind
    source: Source
    label: str = ""
    mid: str | None = None
    encodings: list[Encoding] = []
    allow: frozenset[str] | None = None
    """Identities that may consume it; None: everybody."""
    behind: tuple[Producer, ...] = ()
    """Older producers with the same id, which its owner does not know of (see Producers)."""
    media_id: str = ""
    """Its name at the media node."""
    first_result: CreateProducerResult | None = None
    """What its creation was answered with, for those who ask again."""
    paused_by_self: bool = False
    paused_by_moderator: bool = False
    generation: int = -1
    """Of its track; a replaceTrack carries a larger one."""
    version: int = 1
    """Of its encodings."""
    wanted: list[int] = []
    """Spatial layers that its owner was told anyone watches."""
    consumers: dict[tuple[str, str], Consumer] = {}
    """(peer, consumer id) → consumer."""

    @property
    def paused(self) -> bool:
        return self.paused_by_self or self.paused_by_moderator

    @property
    def bits(self) -> PauseBits:
        return PauseBits(self.paused_by_self, self.paused_by_moderator)

    @property
    def info(self) -> ProducerInfo:
        return ProducerInfo(self.id, self.peer, self.kind, self.source, self.paused, self.label, self.mid)

    @property
    def top_layer(self) -> int:
        """The highest spatial layer: one less than its active encodings."""
        active = [each for each in self.encodings if each.active is not False]
        return max(0, len(active) - 1)

    def layer_for(self, width: int | None, height: int | None) -> int:
        """The lowest layer whose picture fills the wanted size, taking the top one for full HD (1920 x 1080)."""
        share = max((width or 0) / 1920, (height or 0) / 1080)
        active = [each for each in self.encodings if each.active is not False]
        for layer, encoding in enumerate(active):
            scale = encoding.scale_resolution_down_by
            if share <= 1 / (scale if isinstance(scale, float | int) else 2 ** (len(active) - 1 - layer)):
                return layer
        return self.top_layer

    def layers_watched(self) -> list[int]:
        """The spatial layers that a consumer which is not paused wants, lowest first."""
        wants = {min(each.spatial, self.top_layer) for each in self.consumers.values() if not each.paused}
        return sorted(wants)

    @property
    def is_for_all(self) -> bool:
        return self.allow is None and not self.behind

    def is_for(self, identity: str) -> bool:
        """Whether this identity may know of it: its owner, and who is allowed unless an older one has its id for them."""
        if identity == self.identity:
            return True
        if self.allow is not None and identity not in self.allow:
            return False
        return not any(older.is_for(identity) for older in self.behind)


class Consumer(Struct, eq=False):
    id: str
    peer: str
    transport: str
    source: Producer
    kind: Kind
    paused: bool
    mid: str | None = None
    priority: int | None = None
    spatial: int = 7
    """Preferred layers; the producer's own top is the effective bound."""
    temporal: int = 7
    first_result: CreateConsumerResult | None = None
    """What its creation was answered with, for those who ask again."""

    @property
    def producer(self) -> str:
        """The id of what it receives."""
        return self.source.id

    @property
    def media_id(self) -> str:
        """Its name at the media node: consumer ids are the participant's own."""
        return f"{self.peer}/{self.id}"


class EarlyCandidates:
    """Candidates that came before the offer of their generation: at most 64, for at most 45 s; a timer frees them."""

    __slots__ = ("_kept", "_timer", "_timers")

    def __init__(self, timers: Timers) -> None:
        self._kept: list[tuple[float, int, list[Candidate | str], bool]] = []
        self._timers = timers
        self._timer: Timer | None = None

    def __bool__(self) -> bool:
        return bool(self._kept)

    def keep(self, generation: int, candidates: list[Candidate | str], end: bool, now: float) -> bool:
        """Keeps them, or returns False where that would be more than 64."""
        held = sum(max(1, len(kept[2])) for kept in self._kept)
        if held + max(1, len(candidates)) > EARLY_CANDIDATES:
            return False
        self._kept.append((now, generation, candidates, end))
        if self._timer is None:
            self._free_at(now + EARLY_SECONDS)
        return True

    def take(self, generation: int) -> list[tuple[list[Candidate | str], bool]]:
        """Returns and forgets those of this generation; older generations are dropped with them."""
        taken = [(candidates, end) for _, of, candidates, end in self._kept if of == generation]
        self._keep_only([kept for kept in self._kept if kept[1] > generation])
        return taken

    def forget(self) -> None:
        """Drops all: there is nobody left to take them."""
        self._keep_only([])

    def _free_at(self, when: float) -> None:
        self._timer = self._timers.at(when, partial(self._free, when))

    def _free(self, now: float) -> None:
        self._timer = None
        self._keep_only([kept for kept in self._kept if kept[0] + EARLY_SECONDS > now])
        if self._kept:
            self._free_at(self._kept[0][0] + EARLY_SECONDS)

    def _keep_only(self, kept: list[tuple[float, int, list[Candidate | str], bool]]) -> None:
        self._kept = kept
        if not kept and self._timer is not None:
            self._timer.cancel()
            self._timer = None


class WebRtcTransport:
    """A participant's transport to the media node; comes into being when its owner first mentions it."""

    __slots__ = (
        "answer",
        "direction",
        "early",
        "fingerprints",
        "generation",
        "id",
        "in_flight",
        "offering",
        "restarts",
        "state",
        "used",
    )

    def __init__(self, id: str, timers: Timers) -> None:
        self.id = id
        self.direction: Literal["send", "recv"] | None = None
        self.generation: int | None = None
        self.state: Literal["new", "connecting", "connected", "failed", "closed"] = "new"
        self.answer: SdpOfferResult | None = None
        self.offering: int | None = None
        """Generation of the newest offer that the media node is working on."""
        self.in_flight = 0
        """Offers that the media node is working on."""
        self.fingerprints: frozenset[str] | None = None
        self.used = False
        """Whether a producer, a consumer or a fingerprint was named for it."""
        self.early = EarlyCandidates(timers)
        self.restarts: list[float] = []
        """When iceRestart was called lately."""

    @property
    def is_unused(self) -> bool:
        """Whether it has nothing but its name: a refused offer leaves none behind."""
        if self.in_flight or self.early:
            return False
        return not self.used and self.generation is None and self.fingerprints is None
