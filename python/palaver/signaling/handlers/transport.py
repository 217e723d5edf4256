"""TransportHandler: the WebRTC handshake, with the media node or between two participants."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any, Final

from msgspec import Raw

from palaver.protocol.codec import Codec
from palaver.protocol.errors import ProtocolError
from palaver.protocol.methods.session import EMPTY, Empty
from palaver.protocol.methods.transport import (
    DELIVERED,
    ConnectTransport,
    ConnectTransportResult,
    Delivered,
    IceCandidate,
    IceRestart,
    IceRestartResult,
    PeerAnswer,
    PeerOffer,
    SdpAnswer,
    SdpOffer,
    SdpOfferResult,
)
from palaver.protocol.types import Candidate, DtlsFingerprint
from palaver.rooms.media import EARLY_CANDIDATES, WebRtcTransport
from palaver.rooms.participant import Participant
from palaver.rooms.peer_link import PeerLink
from palaver.rooms.room import Room
from palaver.settings import LiveSettings
from palaver.signaling.message import Message
from palaver.signaling.negotiation import Negotiation
from palaver.signaling.ports import Direction, MediaNode
from palaver.signaling.publishing import Publishing
from palaver.signaling.router import Verb
from palaver.signaling.stream_router import StreamRouter

OFFERS_IN_FLIGHT: Final = 4
"""Offers of one transport that the media node works on at once: one, and what a hasty client sends after it."""
SLOW_PEER_AFTER_MS: Final = 500
"""When to try again with a peer that does not read: 128 KiB, what it must read first, take half a second at 2 Mbit/s."""
RESTARTS: Final = 5
RESTART_WINDOW: Final = 60.0
RESTART_PAUSE: Final = 5.0


class TransportHandler:
    def __init__(
        self, streams: StreamRouter, publishing: Publishing, negotiation: Negotiation, settings: LiveSettings
    ) -> None:
        self._settings = settings
        self._streams = streams
        self._publishing = publishing
        self._negotiation = negotiation

    @property
    def routes(self) -> Mapping[str, Verb]:
        return {
            "sdpOffer": self.offer,
            "sdpAnswer": self.answer,
            "iceCandidate": self.candidates,
            "iceRestart": self.restart,
            "connectTransport": self.connect,
        }

    # --- offers and answers ---

    def offer(
        self, message: Message, params: SdpOffer | PeerOffer
    ) -> Delivered | SdpOfferResult | Coroutine[Any, Any, SdpOfferResult]:
        room, participant = message.seat
        sdp = self._sound_sdp(message, params.sdp)
        if params.direction == "p2p":
            return self._offer_to_peer(message, room, participant, params, sdp)
        assert isinstance(params, SdpOffer)
        media = self._streams.assign_node(room)
        transport = self._publishing.transport(room, participant, params.transport)
        if transport.direction not in (None, params.direction):
            raise ProtocolError(
                "conflict", f"this transport is for {transport.direction}", path="$.direction"
            )
        newest = transport.generation if transport.offering is None else transport.offering
        if newest is not None and params.generation < newest:
            raise ProtocolError("stale_generation", f"the current generation is {newest}", generation=newest)
        if params.generation == transport.generation and transport.answer is not None:
            return transport.answer
        if params.generation == transport.offering:
            raise ProtocolError("unavailable", "this offer is being answered already", after_ms=100)
        if transport.in_flight >= OFFERS_IN_FLIGHT:
            raise ProtocolError("unavailable", "earlier offers are being answered still", after_ms=100)
        before, transport.direction = transport.direction, params.direction
        transport.offering = params.generation
        transport.in_flight += 1
        return self._offer_to_media(
            room, participant, transport, params, media, direction=params.direction, before=before
        )

    def _offer_to_peer(
        self,
        message: Message,
        room: Room,
        participant: Participant,
        params: SdpOffer | PeerOffer,
        sdp: str | Raw,
    ) -> Delivered:
        other = self._peer(room, participant, params.to)
        link = self._link(room, participant, other, params.transport)
        verdict = link.offer(participant.peer, other.peer, params.generation)
        if verdict != "repeat":
            other.session.send_offer(
                participant.peer,
                params.transport,
                _for(other, message.codec, sdp),
                params.generation,
                verdict == "glare",
            )
            for candidates, end in link.take_early(participant.peer):
                other.session.add_ice_candidate(
                    participant.peer, params.transport, params.generation, candidates, end
                )
        return DELIVERED

    async def _offer_to_media(
        self,
        room: Room,
        participant: Participant,
        transport: WebRtcTransport,
        params: SdpOffer,
        media: MediaNode,
        direction: Direction,
        before: Direction | None,
    ) -> SdpOfferResult:
        handle = room.handle(participant, transport.id)
        try:
            self._declare(room, participant, transport, media)
            answer = await self._negotiation.offer(media, handle, direction, params.sdp)
        except BaseException:
            _land(transport, params.generation)
            transport.direction = before
            if transport.is_unused and participant.transports.get(transport.id) is transport:
                room.close_transport(participant, transport)
            raise
        _land(transport, params.generation)
        if participant.transports.get(transport.id) is not transport or participant.session.room is not room:
            media.close_transport(handle)
            raise ProtocolError("wrong_state", "the session ended meanwhile")
        for consumer in participant.consumers.values():
            if consumer.media_id in answer.consumers:
                consumer.mid = answer.consumers[consumer.media_id]
        result = self._negotiation.result(answer, params.generation, participant.identity)
        result.consumers = {
            consumer.id: answer.consumers[consumer.media_id]
            for consumer in participant.consumers.values()
            if consumer.media_id in answer.consumers
        }
        transport.generation, transport.answer, transport.fingerprints = params.generation, result, None
        for candidates, end in transport.early.take(params.generation):
            media.add_candidates(handle, _as_init(candidates, end))
        return result

    def _declare(
        self, room: Room, participant: Participant, transport: WebRtcTransport, media: MediaNode
    ) -> None:
        """Names again what the transport carries, for a media node that has lost it; known names change nothing."""
        handle = room.handle(participant, transport.id)
        for producer in participant.producers.values():
            if producer.transport == transport.id:
                media.produce(handle, producer.media_id, producer.kind, producer.mid, producer.paused)
        for consumer in participant.consumers.values():
            if consumer.transport == transport.id:
                source = consumer.source.media_id
                media.consume(handle, consumer.media_id, source, consumer.kind, consumer.paused)

    def answer(self, message: Message, params: SdpAnswer | PeerAnswer) -> Empty:
        room, participant = message.seat
        sdp = self._sound_sdp(message, params.sdp)
        if params.to is None:
            if params.transport not in participant.transports:
                raise ProtocolError("not_found", "you have no such transport", path="$.transport")
            raise ProtocolError("wrong_state", "the media node answers offers, it makes none")
        other = self._peer(room, participant, params.to)
        link = room.links.find(params.transport, participant.peer, other.peer)
        if link is None:
            raise ProtocolError("wrong_state", "there is no open offer of that peer to answer")
        if link.answer(participant.peer, params.generation):
            other.session.send_answer(
                participant.peer, params.transport, _for(other, message.codec, sdp), params.generation
            )
        return EMPTY

    # --- candidates ---

    def candidates(self, message: Message, params: IceCandidate) -> Empty:
        room, participant = message.seat
        if params.to is not None:
            return self._candidates_to_peer(message, room, participant, params)
        transport = self._publishing.transport(room, participant, params.transport)
        if params.generation == transport.generation:
            media = self._streams.assign_node(room)
            media.add_candidates(
                room.handle(participant, transport.id), _as_init(params.candidates, params.end)
            )
        elif transport.generation is not None and params.generation < transport.generation:
            current = transport.generation
            raise ProtocolError(
                "stale_generation", f"the current generation is {current}", generation=current
            )
        elif not transport.early.keep(params.generation, params.candidates, params.end, message.now):
            raise ProtocolError("limit", f"at most {EARLY_CANDIDATES} candidates are kept before their offer")
        return EMPTY

    def _candidates_to_peer(
        self, message: Message, room: Room, participant: Participant, params: IceCandidate
    ) -> Empty:
        other = self._peer(room, participant, params.to)
        link = self._link(room, participant, other, params.transport)
        if link.admit_candidates(
            participant.peer, params.generation, params.candidates, params.end, message.now
        ):
            other.session.add_ice_candidate(
                participant.peer, params.transport, params.generation, params.candidates, params.end
            )
        return EMPTY

    def restart(self, message: Message, params: IceRestart) -> IceRestartResult:
        """Fresh TURN credentials and the generation for the offer that restarts ICE (RFC 8445 § 2.4); at most 5 a minute."""
        room, participant = message.seat
        if params.to is not None:
            other = self._peer(room, participant, params.to)
            link = room.links.find(params.transport, participant.peer, other.peer)
            if link is None:
                raise ProtocolError(
                    "not_found", "there is no such connection with that peer", path="$.transport"
                )
            self._pace(link.restarts, message.now)
            generation = link.generation + 1
            other.session.send_restart(participant.peer, params.transport, generation, params.reason)
        else:
            transport = participant.transports.get(params.transport)
            if transport is None:
                raise ProtocolError("not_found", "you have no such transport", path="$.transport")
            self._pace(transport.restarts, message.now)
            generation = 1 if transport.generation is None else transport.generation + 1
        return IceRestartResult(generation, self._streams.ice_servers(participant.identity))

    def _pace(self, restarts: list[float], now: float) -> None:
        """Raises ProtocolError rate_limited: 5 s apart, at most 5 within a minute (protocol § 5)."""
        restarts[:] = [when for when in restarts if when > now - RESTART_WINDOW]
        wait = restarts[-1] + RESTART_PAUSE - now if restarts else 0.0
        if len(restarts) >= RESTARTS:
            wait = max(wait, restarts[0] + RESTART_WINDOW - now)
        if wait > 0:
            raise ProtocolError("rate_limited", "ICE was restarted just now", after_ms=round(wait * 1000))
        restarts.append(now)

    # --- DTLS ---

    def connect(self, message: Message, params: ConnectTransport) -> ConnectTransportResult:
        room, participant = message.seat
        transport = self._publishing.transport(room, participant, params.transport)
        shown = frozenset(
            f"{each.algorithm} {each.value}".upper() if isinstance(each, DtlsFingerprint) else each.upper()
            for each in params.dtls.fingerprints
        )
        if transport.fingerprints is not None and transport.fingerprints != shown:
            raise ProtocolError("conflict", "another fingerprint needs a new generation", path="$.dtls")
        transport.fingerprints = shown
        return ConnectTransportResult(transport.state)

    def _sound_sdp(self, message: Message, sdp: str | Raw) -> str | Raw:
        """The SDP, encoded where it may stay so. Raises ProtocolError too_large or bad_sdp."""
        if isinstance(sdp, Raw):
            if len(memoryview(sdp)) <= self._settings.limits.sdp_bytes:
                return sdp  # its lines have been looked at
            sdp = message.codec.text(sdp)
        self._negotiation.check(sdp)
        return sdp

    def _link(self, room: Room, participant: Participant, other: Participant, transport: str) -> PeerLink:
        """The peer-to-peer connection with another; comes into being here. Raises ProtocolError limit."""
        link = room.links.find(transport, participant.peer, other.peer)
        if link is None:
            if participant.links_opened >= self._settings.limits.transports_per_peer:
                raise ProtocolError(
                    "limit",
                    f"at most {self._settings.limits.transports_per_peer} peer-to-peer connections per participant",
                )
            link = room.links.open(transport, participant, other)
        return link

    def _peer(self, room: Room, participant: Participant, to: str | None) -> Participant:
        if to is None:
            raise ProtocolError("invalid_params", "a peer-to-peer message names its peer", path="$.to")
        if participant.hidden:
            raise ProtocolError("forbidden", "who is hidden is nobody's peer", need="hidden")
        other = room.participants.get(to)
        if other is None or other is participant or other.hidden:
            raise ProtocolError("not_found", "there is no such peer in this room", path="$.to")
        sink = other.session.sink
        if sink is not None and sink.is_slow:  # or a sender could fill the queue of one on a slow network
            raise ProtocolError(
                "rate_limited", "that peer reads less than it is sent", after_ms=SLOW_PEER_AFTER_MS
            )
        return other


def _for(other: Participant, codec: Codec, sdp: str | Raw) -> str | Raw:
    """The SDP for a peer; it can stay encoded for one that speaks the sender's encoding."""
    return codec.text(sdp) if isinstance(sdp, Raw) and other.session.codec is not codec else sdp


def _land(transport: WebRtcTransport, generation: int) -> None:
    """An offer of the transport has been answered, or not."""
    transport.in_flight -= 1
    if transport.offering == generation:
        transport.offering = None


def _as_init(candidates: list[Candidate | str], end: bool) -> list[Candidate]:
    """Candidates in one form; the end of them is an empty one (RFC 8838 § 14)."""
    whole = [each if isinstance(each, Candidate) else Candidate(each) for each in candidates]
    return [*whole, Candidate("")] if end else whole
