"""Publishing: what it takes to create a producer, be it by createProducer or in the flight of a join."""

from __future__ import annotations

from typing import Final

from palaver.protocol.errors import ProtocolError
from palaver.protocol.methods.producer import CreateProducer, CreateProducerResult, OwnProducer
from palaver.protocol.methods.session import JoinOffer
from palaver.protocol.types import Kind, Role, Source
from palaver.rooms.media import Producer, WebRtcTransport
from palaver.rooms.participant import Participant
from palaver.rooms.role import Grants
from palaver.rooms.room import Room
from palaver.rooms.session_manager import SeatRequest, SessionManager
from palaver.settings import LiveSettings
from palaver.signaling.admission import require_publishing
from palaver.signaling.stream_router import StreamRouter

SOURCES_OF = {
    "audio": ("microphone", "screenAudio"),
    "video": ("camera", "screen"),
    "data": ("data",),
}


ALLOWED_NAMES: Final = 2000
"""Identities in the allow-lists of one participant's producers, together: each may take half a KiB."""


class Publishing:
    def __init__(self, sessions: SessionManager, streams: StreamRouter, settings: LiveSettings) -> None:
        self._sessions = sessions
        self._streams = streams
        self._settings = settings

    def check(self, grants: Grants, role: Role, params: CreateProducer) -> None:
        """Raises ProtocolError forbidden or invalid_params for what could never be published; needs no seat."""
        self.check_source(grants, role, params.kind, params.source)

    def check_source(self, grants: Grants, role: Role, kind: Kind, source: Source) -> None:
        if source not in SOURCES_OF[kind]:
            allowed = " or ".join(SOURCES_OF[kind])
            raise ProtocolError("invalid_params", f"{kind} has the source {allowed}", path="$.source")
        require_publishing(grants, role, source)

    def check_all(
        self, request: SeatRequest, producers: list[CreateProducer], offer: JoinOffer | None
    ) -> None:
        """Raises ProtocolError where one of the producers of a join could not be created once the seat is taken."""
        limits, room = self._settings.limits, self._sessions.rooms.get(request.room)
        if len(producers) > limits.producers_per_peer:
            raise ProtocolError("limit", f"at most {limits.producers_per_peer} producers per participant")
        transports = {each.transport for each in (*producers, *([offer] if offer is not None else ()))}
        if len(transports) > limits.media_transports_per_peer:
            raise ProtocolError(
                "limit",
                f"at most {limits.media_transports_per_peer} transports to the media node per participant",
            )
        if sum(len(each.allow or ()) for each in producers) > ALLOWED_NAMES:
            raise ProtocolError(
                "limit", f"the allow-lists of a participant hold at most {ALLOWED_NAMES} identities"
            )
        named = [each.id for each in producers if each.id is not None]
        if len(set(named)) < len(named):
            raise ProtocolError("invalid_params", "two producers have the same id", path="$.producers")
        role = self._sessions.role_at(request.room, request.claims)
        seat = room.peer_of.get(request.claims.identity) if room is not None else None
        own = room.participants[seat].producers if room is not None and seat is not None else {}
        for index, producer in enumerate(producers):
            with ProtocolError.below(f"producers[{index}]"):
                self.check(request.claims.grants, role, producer)
                if producer.id is None or room is None or producer.id in own:
                    continue
                if room.producers.is_taken(request.claims.identity, producer.id):
                    raise ProtocolError("conflict", "this id is taken", path="$.id")

    def transport(self, room: Room, participant: Participant, id: str) -> WebRtcTransport:
        """The participant's transport of that name; comes into being here. Raises ProtocolError limit."""
        transport = participant.transports.get(id)
        if transport is None:
            cap = self._settings.limits.media_transports_per_peer
            transport = room.add_transport(participant, id, cap)
        return transport

    def create(self, room: Room, owner: Participant, params: CreateProducer) -> CreateProducerResult:
        """Creates a producer, or answers a repeat with the first result.

        Raises ProtocolError forbidden, invalid_params, conflict (the id is another's), or limit.
        """
        self.check(owner.grants, owner.role, params)
        if params.id is not None:
            own = owner.producers.get(params.id)
            if own is not None and own.first_result is not None:
                return own.first_result
            if room.producers.is_taken(owner.identity, params.id):
                raise ProtocolError("conflict", "this id is taken", path="$.id")
        if len(owner.producers) >= self._settings.limits.producers_per_peer:
            raise ProtocolError(
                "limit", f"at most {self._settings.limits.producers_per_peer} producers per participant"
            )
        names = sum(len(each.allow) for each in owner.producers.values() if each.allow is not None)
        if params.allow and names + len(params.allow) > ALLOWED_NAMES:
            raise ProtocolError(
                "limit", f"the allow-lists of a participant hold at most {ALLOWED_NAMES} identities"
            )
        self.transport(room, owner, params.transport).used = True
        producer = Producer(
            id=params.id or self._sessions.new_id("pr"),
            peer=owner.peer,
            identity=owner.identity,
            transport=params.transport,
            kind=params.kind,
            source=params.source,
            label=params.label,
            mid=params.mid,
            encodings=list(params.encodings),
            allow=frozenset(params.allow) if params.allow is not None else None,
            paused_by_self=params.paused,
        )
        room.add_producer(owner, producer)
        media = self._streams.find_node(room)
        if media is not None:
            handle = room.handle(owner, producer.transport)
            media.produce(handle, producer.media_id, producer.kind, producer.mid, producer.paused)
        producer.first_result = CreateProducerResult(
            producer.id, producer.paused, producer.encodings, self._shown_limits()
        )
        return producer.first_result

    def own(self, owner: Participant) -> list[OwnProducer]:
        """What a participant sends, as its creation was answered, but up to date: oldest first."""
        return [
            OwnProducer(
                each.id,
                each.paused,
                each.encodings,
                self._shown_limits(),
                transport=each.transport,
                kind=each.kind,
                source=each.source,
                paused_by=each.bits,
                label=each.label,
                mid=each.mid,
            )
            for each in owner.producers.values()
        ]

    def _shown_limits(self) -> dict[str, int]:
        return {"producers": self._settings.limits.producers_per_peer}
