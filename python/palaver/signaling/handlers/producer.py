"""ProducerHandler: media a participant sends."""

from __future__ import annotations

from collections.abc import Mapping

from palaver.protocol.errors import ProtocolError
from palaver.protocol.methods.producer import (
    ById,
    Changed,
    ChangeEncoding,
    ChangeEncodingResult,
    CloseProducer,
    CreateProducer,
    CreateProducerResult,
    PauseProducerResult,
    ReplaceTrack,
)
from palaver.rooms.media import Producer
from palaver.rooms.participant import Participant
from palaver.rooms.room import Room
from palaver.signaling.message import Message
from palaver.signaling.publishing import Publishing
from palaver.signaling.router import Verb


class ProducerHandler:
    def __init__(self, publishing: Publishing) -> None:
        self._publishing = publishing

    @property
    def routes(self) -> Mapping[str, Verb]:
        return {
            "createProducer": self.create,
            "closeProducer": self.close,
            "pauseProducer": self.pause,
            "resumeProducer": self.resume,
            "replaceTrack": self.replace_track,
            "changeEncoding": self.change_encoding,
        }

    def create(self, message: Message, params: CreateProducer) -> CreateProducerResult:
        return self._publishing.create(*message.seat, params)

    def close(self, message: Message, params: CloseProducer) -> Changed:
        room, participant = message.seat
        producer = room.find_moderated(participant, params.id)
        if producer is None and self._was_closed(room, participant, params.id):
            return Changed(False)
        producer = self._find(room, participant, params.id)
        if producer.peer != participant.peer and not participant.is_moderator:
            raise ProtocolError(
                "forbidden", "only its owner or a moderator closes a producer", need="roomAdmin"
            )
        room.close_producer(producer, by=participant.peer, reason=params.reason or "closed")
        return Changed(True)

    def pause(self, message: Message, params: ById) -> PauseProducerResult:
        return self._set(message, params.id, True)

    def resume(self, message: Message, params: ById) -> PauseProducerResult:
        return self._set(message, params.id, False)

    def replace_track(self, message: Message, params: ReplaceTrack) -> Changed:
        """Puts another track behind the same producer: its consumers stay."""
        room, participant = message.seat
        producer = self._own(room, participant, params.id)
        if params.generation <= producer.generation:
            if params.generation == producer.generation:
                return Changed(False)
            raise ProtocolError("stale_generation", generation=producer.generation)
        source = params.source or producer.source
        if source != producer.source:
            self._publishing.check_source(participant.grants, participant.role, producer.kind, source)
        room.replace_track(producer, params.generation, source, params.label, params.mid)
        return Changed(True)

    def change_encoding(self, message: Message, params: ChangeEncoding) -> ChangeEncodingResult:
        room, participant = message.seat
        producer = self._own(room, participant, params.id)
        if params.if_version is not None and params.if_version != producer.version:
            raise ProtocolError("conflict", "the encodings have changed meanwhile", version=producer.version)
        room.change_encodings(producer, params.encodings)
        return ChangeEncodingResult(producer.encodings, producer.version)

    def _was_closed(self, room: Room, participant: Participant, id: str) -> bool:
        """Whether it was closed by or for somebody who may close it: they are answered as at a repeat."""
        if id in participant.closed_ids:
            return True
        return participant.is_moderator and room.producers.was_closed(id)

    def _own(self, room: Room, participant: Participant, id: str) -> Producer:
        producer = self._find(room, participant, id)
        if producer.peer != participant.peer:
            raise ProtocolError("forbidden", "only its owner changes a producer")
        return producer

    def _set(self, message: Message, id: str, paused: bool) -> PauseProducerResult:
        """The owner sets the self bit, a moderator theirs; neither can lift the other's."""
        room, participant = message.seat
        producer = self._find(room, participant, id)
        before = producer.bits
        if producer.peer == participant.peer:
            room.set_paused(producer, by=participant.peer, self_bit=paused)
        elif participant.is_moderator:
            owner = room.participants[producer.peer].identity
            (room.mutes.mute if paused else room.mutes.unmute)(owner, producer.source)
            room.set_paused(producer, by=participant.peer, moderator_bit=paused)
        else:
            raise ProtocolError(
                "forbidden", "only its owner or a moderator pauses a producer", need="roomAdmin"
            )
        return PauseProducerResult(producer.bits, producer.bits != before)

    def _find(self, room: Room, participant: Participant, id: str) -> Producer:
        producer = room.find_moderated(participant, id)
        if producer is None:
            raise ProtocolError("not_found", "there is no such producer in this room", path="$.id")
        return producer
