"""ProducerHandler: media a participant sends."""

from __future__ import annotations

from collections.abc import Mapping

from palaver.protocol.errors import ProtocolError
from palaver.protocol.methods.producer import (
    ById,
    Changed,
    CloseProducer,
    CreateProducer,
    CreateProducerResult,
    PauseProducerResult,
)
from palaver.rooms.media import Producer
from palaver.rooms.room import Participant, Room
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
        }

    def create(self, message: Message, params: CreateProducer) -> CreateProducerResult:
        return self._publishing.create(*message.seat, params)

    def close(self, message: Message, params: CloseProducer) -> Changed:
        room, participant = message.seat
        if params.id in participant.closed_ids and params.id not in room.producers:
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

    def _set(self, message: Message, id: str, paused: bool) -> PauseProducerResult:
        """The owner sets the self bit, a moderator theirs; neither can lift the other's."""
        room, participant = message.seat
        producer = self._find(room, participant, id)
        before = producer.bits
        if producer.peer == participant.peer:
            room.set_paused(producer, by=participant.peer, self_bit=paused)
        elif participant.is_moderator:
            room.set_paused(producer, by=participant.peer, moderator_bit=paused)
        else:
            raise ProtocolError(
                "forbidden", "only its owner or a moderator pauses a producer", need="roomAdmin"
            )
        return PauseProducerResult(producer.bits, producer.bits != before)

    def _find(self, room: Room, participant: Participant, id: str) -> Producer:
        producer = room.producers.get(id)
        if producer is None or not room.may_see(participant, producer):
            raise ProtocolError("not_found", "there is no such producer in this room", path="$.id")
        return producer
