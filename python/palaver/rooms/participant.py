"""Participant: a seat in a room, who sits there, with which rights, and what is theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from palaver.protocol.events import Event, ProducerClosed
from palaver.protocol.methods.session import PeerInfo
from palaver.protocol.types import Role
from palaver.rooms.media import Consumer, Producer, WebRtcTransport
from palaver.rooms.quality import Quality
from palaver.rooms.role import RANK, Grants, is_moderator
from palaver.rooms.statistics import Statistics

if TYPE_CHECKING:
    from palaver.rooms.session import SignalingSession

REMEMBERED_IDS = 64
"""Closed ids remembered per participant, so that a repeated close is answered as a repeat."""


class Participant:
    """A seat in a room: who sits there, with which rights, and what is theirs."""

    __slots__ = (
        "attributes",
        "closed_ids",
        "consumers",
        "errors_told",
        "grants",
        "identity",
        "links",
        "links_opened",
        "lost",
        "media_errors",
        "name",
        "peer",
        "producers",
        "quality",
        "role",
        "session",
        "stats",
        "subscribe",
        "traces",
        "transports",
    )

    def __init__(
        self,
        peer: str,
        session: SignalingSession,
        *,
        identity: str,
        name: str,
        attributes: dict[str, str],
        role: Role,
        grants: Grants,
        subscribe: Literal["auto", "none"],
    ) -> None:
        self.peer = peer
        self.session = session
        self.identity = identity
        self.name = name
        self.attributes = attributes
        self.role: Role = role
        self.grants = grants
        self.subscribe = subscribe
        self.transports: dict[str, WebRtcTransport] = {}
        self.producers: dict[str, Producer] = {}
        self.consumers: dict[str, Consumer] = {}
        self.closed_ids: dict[str, None] = {}
        self.lost: dict[str, None] = {}
        """Producers that it consumed until they were closed."""
        self.quality = Quality()
        self.stats = Statistics()
        self.traces: tuple[frozenset[str], float] | None = None
        """Names of the traces it subscribed to, and until when."""
        self.media_errors: list[float] = []
        """When it reported one lately."""
        self.errors_told: list[float] = []
        """When the operator was told of one lately."""
        self.links: set[tuple[str, str, str]] = set()
        """Keys of the peer-to-peer connections that it is one end of."""
        self.links_opened = 0
        """How many of them it opened: these count against its limit, so that nobody else can use it up."""

    @property
    def rank(self) -> int:
        return RANK[self.role]

    @property
    def is_moderator(self) -> bool:
        return is_moderator(self.role)

    @property
    def effective_grants(self) -> dict[str, Any]:
        """What it may do with its role: an observer or who is hidden publishes nothing, a moderator administers."""
        grants: dict[str, Any] = msgspec.to_builtins(self.grants)
        if self.role == "observer" or self.hidden:
            grants["canPublish"] = grants["canPublishData"] = False
        grants["roomAdmin"] = self.is_moderator
        return grants

    @property
    def hidden(self) -> bool:
        """Whether the others know nothing of it; the same for all of its stay."""
        return self.grants.hidden

    @property
    def info(self) -> PeerInfo:
        suspended = self.session.suspended_shown
        return PeerInfo(self.peer, self.identity, self.role, self.name, self.attributes, suspended)

    def has_no_use_for(self, transport: WebRtcTransport) -> bool:
        """Whether a transport to the media node failed or was only named, and carries nothing."""
        if transport.is_unused:
            return True
        if transport.state != "failed" or transport.in_flight:
            return False
        carrying = {each.transport for each in self.producers.values()}
        carrying.update(each.transport for each in self.consumers.values())
        return transport.id not in carrying

    def cares_for(self, event: Event) -> bool:
        """Whether an event of producers is told even to `subscribe:"none"`: of one's own, or one that one consumes."""
        producer = getattr(event, "id", None)
        if getattr(event, "peer", None) == self.peer or (
            type(event) is ProducerClosed and producer in self.lost
        ):
            return True
        return any(consumer.producer == producer for consumer in self.consumers.values())

    def remember_closed(self, id: str) -> None:
        self.stats.forget(id)
        _remember(self.closed_ids, id)

    def remember_lost(self, producer: str) -> None:
        """Takes note that a producer is closed which it consumes: an event is shown or not when it is sent."""
        _remember(self.lost, producer)


def _remember(ids: dict[str, None], id: str) -> None:
    ids[id] = None
    if len(ids) > REMEMBERED_IDS:
        del ids[next(iter(ids))]
