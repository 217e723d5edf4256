"""ConsumerHandler: media a participant receives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from palaver.protocol.errors import ProtocolError
from palaver.protocol.methods.consumer import (
    ByIds,
    ConsumerItem,
    CreateConsumer,
    CreateConsumerResult,
    CreateConsumersResult,
    Layers,
    PreferredLayers,
    PreferredLayersResult,
)
from palaver.protocol.methods.producer import Changed
from palaver.rooms.media import Consumer
from palaver.rooms.participant import Participant
from palaver.rooms.room import Room
from palaver.rooms.session_manager import SessionManager
from palaver.settings import LiveSettings
from palaver.signaling.message import Message
from palaver.signaling.publishing import Publishing
from palaver.signaling.router import Verb
from palaver.signaling.stream_router import StreamRouter


class ConsumerHandler:
    def __init__(
        self,
        sessions: SessionManager,
        streams: StreamRouter,
        publishing: Publishing,
        settings: LiveSettings,
    ) -> None:
        self._sessions = sessions
        self._streams = streams
        self._publishing = publishing
        self._settings = settings

    @property
    def routes(self) -> Mapping[str, Verb]:
        return {
            "createConsumer": self.create,
            "closeConsumer": self.close,
            "pauseConsumer": self.pause,
            "resumeConsumer": self.resume,
            "preferredLayers": self.prefer,
        }

    def create(
        self, message: Message, params: CreateConsumer
    ) -> CreateConsumerResult | CreateConsumersResult:
        room, participant = message.seat
        if params.items is not None:
            message.work = len(params.items)
            return CreateConsumersResult(
                [
                    self._item(room, participant, params, item, index)
                    for index, item in enumerate(params.items)
                ]
            )
        if params.producer is None:
            raise ProtocolError("invalid_params", "name a producer, or several in items", path="$.producer")
        one = ConsumerItem(
            params.producer, params.transport, params.id, params.layers, params.priority, params.paused
        )
        return self._create(room, participant, one)

    def _item(
        self, room: Room, participant: Participant, params: CreateConsumer, item: ConsumerItem, index: int
    ) -> CreateConsumerResult | dict[str, Any]:
        """One of many: its own result or its own error. What an item leaves out is taken from around it."""
        transport = item.transport or params.transport
        whole = ConsumerItem(item.producer, transport, item.id, item.layers, item.priority, item.paused)
        try:
            with ProtocolError.below(f"items[{index}]"):
                return self._create(room, participant, whole)
        except ProtocolError as error:
            return {"error": error.body()}

    def _create(self, room: Room, participant: Participant, item: ConsumerItem) -> CreateConsumerResult:
        if item.transport is None:
            raise ProtocolError("invalid_params", "name the transport to receive on", path="$.transport")
        producer = room.find_producer(participant, item.producer)
        if producer is None:
            raise ProtocolError("not_found", "there is no such producer in this room", path="$.producer")
        if item.id is not None and item.id in participant.consumers:
            first = participant.consumers[item.id]
            if first.producer != item.producer or first.first_result is None:
                raise ProtocolError("conflict", "this id is taken", path="$.id")
            return first.first_result
        if len(participant.consumers) >= self._settings.limits.consumers_per_peer:
            raise ProtocolError(
                "limit", f"at most {self._settings.limits.consumers_per_peer} consumers per participant"
            )
        self._publishing.transport(room, participant, item.transport).used = True
        consumer = Consumer(
            id=item.id or self._sessions.new_id("c"),
            peer=participant.peer,
            transport=item.transport,
            source=producer,
            kind=producer.kind,
            paused=item.paused,
            priority=item.priority,
            spatial=(item.layers or {}).get("spatial", 7),
            temporal=(item.layers or {}).get("temporal", 7),
        )
        room.add_consumer(participant, consumer)
        media = self._streams.find_node(room)
        if media is not None:
            handle = room.handle(participant, consumer.transport)
            consumer.mid = media.consume(
                handle, consumer.media_id, producer.media_id, consumer.kind, consumer.paused
            )
        consumer.first_result = CreateConsumerResult(
            consumer.id, producer.id, consumer.kind, producer.paused, consumer.paused, consumer.mid
        )
        return consumer.first_result

    def close(self, message: Message, params: ByIds) -> Changed:
        room, participant = message.seat
        message.work = len(params.ids or ())
        changed = False
        for consumer in self._each(participant, params):
            room.close_consumer(participant, consumer)
            changed = True
        return Changed(changed)

    def pause(self, message: Message, params: ByIds) -> Changed:
        return self._set_paused(message, params, True)

    def resume(self, message: Message, params: ByIds) -> Changed:
        return self._set_paused(message, params, False)

    def prefer(self, message: Message, params: PreferredLayers) -> PreferredLayersResult:
        """Notes what the consumer can use. Effective is what the producer offers of it; an encoding too many is not sent."""
        room, participant = message.seat
        consumer = participant.consumers.get(params.id)
        if consumer is None:
            raise ProtocolError("not_found", f"you have no consumer {params.id!r}", path="$.id")
        producer = consumer.source
        if params.spatial is not None:
            consumer.spatial = params.spatial
        elif params.height is not None or params.width is not None:
            consumer.spatial = producer.layer_for(params.width, params.height)
        if params.temporal is not None:
            consumer.temporal = params.temporal
        if params.priority is not None:
            consumer.priority = params.priority
        room.tell_wanted(producer)
        return PreferredLayersResult(Layers(min(consumer.spatial, producer.top_layer), consumer.temporal))

    def _set_paused(self, message: Message, params: ByIds, paused: bool) -> Changed:
        room, participant = message.seat
        message.work = len(params.ids or ())
        consumers = self._each(participant, params, closed_too=False)
        changed = [room.pause_consumer(consumer, paused) for consumer in consumers]
        return Changed(any(changed))

    def _each(self, participant: Participant, params: ByIds, closed_too: bool = True) -> list[Consumer]:
        """The consumers that the request names, all or none. Raises ProtocolError not_found with the first unknown id."""
        if params.ids is not None:
            named = {f"$.ids[{index}]": id for index, id in enumerate(params.ids)}
        elif params.id is not None:
            named = {"$.id": params.id}
        else:
            raise ProtocolError("invalid_params", "name a consumer by id, or several by ids", path="$.id")
        found = {}
        for path, id in named.items():
            if id in participant.consumers:
                found[id] = participant.consumers[id]
            elif not (closed_too and id in participant.closed_ids):
                raise ProtocolError("not_found", f"you have no consumer {id!r}", path=path)
        return list(found.values())
