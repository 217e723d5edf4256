"""MediaControlHandler: runtime control and quality."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from palaver.protocol import events
from palaver.protocol.errors import ProtocolError
from palaver.protocol.methods.media_control import Mute, MuteResult, MuteTarget
from palaver.rooms.media import Producer
from palaver.rooms.room import Participant, Room, RoomMute
from palaver.signaling.admission import require_moderator
from palaver.signaling.message import Message
from palaver.signaling.router import Verb

PRIVATE: Final = frozenset({"microphone", "camera"})
"""Sources that nobody opens for another: lifting a mute leaves them paused by their owner, who is asked."""


class MediaControlHandler:
    @property
    def routes(self) -> Mapping[str, Verb]:
        return {"mute": self.mute, "unmute": self.unmute}

    def mute(self, message: Message, params: Mute) -> MuteResult:
        room, actor = message.seat
        affected = 0
        for owner, producers in self._targets(room, actor, params.target, muting=True).items():
            own = owner is actor
            muted = [
                each for each in producers if not (each.paused_by_self if own else each.paused_by_moderator)
            ]
            for producer in muted:
                bits = {"self_bit": True} if own else {"moderator_bit": True}
                affected += room.set_paused(producer, by=actor.peer, **bits)
            self._tell(room, actor, owner, muted, events.MediaMuted)
            if muted and not own:
                room.tell(events.YouMuted(actor.peer, [each.id for each in muted]), to=owner.peer)
        return MuteResult(affected, 0)

    def unmute(self, message: Message, params: Mute) -> MuteResult:
        """Lifts the mute. Another's microphone or camera does not open by that: its owner is asked to."""
        room, actor = message.seat
        affected = asked = 0
        for owner, producers in self._targets(room, actor, params.target, muting=False).items():
            own = owner is actor
            lifted = [
                each for each in producers if (each.paused_by_self if own else each.paused_by_moderator)
            ]
            for producer in lifted:
                if own:
                    affected += room.set_paused(producer, by=actor.peer, self_bit=False)
                else:
                    closed = producer.paused_by_self or producer.source in PRIVATE
                    affected += room.set_paused(producer, by=actor.peer, self_bit=closed, moderator_bit=False)
            self._tell(room, actor, owner, lifted, events.MediaUnmuted)
            waiting = [each.id for each in producers if each.paused_by_self]
            if waiting and not own:
                room.tell(events.YouUnmuteRequested(actor.peer, waiting), to=owner.peer)
                asked += 1
        return MuteResult(affected, asked)

    def _tell(
        self,
        room: Room,
        actor: Participant,
        owner: Participant,
        producers: list[Producer],
        kind: type[events.MediaMuted] | type[events.MediaUnmuted],
    ) -> None:
        if producers:
            others = {each.peer for each in room.participants.values()} - {actor.peer, owner.peer}
            room.tell(kind(owner.peer, [each.id for each in producers], actor.peer), to=others)

    def _targets(
        self, room: Room, actor: Participant, target: str | MuteTarget, muting: bool
    ) -> dict[Participant, list[Producer]]:
        """Whose producers are meant. A mute of all is remembered by the room, for those who come later."""
        if isinstance(target, str):
            return {actor: list(actor.producers.values())}
        named = [target.peer is not None, target.producer is not None, target.all_except is not None]
        if sum(named) != 1:
            raise ProtocolError(
                "invalid_params", "a target is one of peer, producer, allExcept", path="$.target"
            )
        if target.producer is not None:
            producer = room.producers.get(target.producer)
            if producer is None or not room.may_see(actor, producer):
                raise ProtocolError("not_found", "there is no such producer", path="$.target.producer")
            self._check(actor, producer.peer)
            return {room.participants[producer.peer]: [producer]}
        if target.peer is not None:
            owner = room.participants.get(target.peer)
            if owner is None:
                raise ProtocolError("not_found", "there is no such peer", path="$.target.peer")
            self._check(actor, owner.peer)
            return {owner: self._of_source(owner, target)}
        require_moderator(actor)
        excepted = frozenset([*(target.all_except or ()), actor.peer])
        room.mutes = [
            each for each in room.mutes if target.source is not None and each.source != target.source
        ]
        if muting:
            room.mutes.append(RoomMute(target.source, excepted))
        return {
            owner: self._of_source(owner, target)
            for owner in room.participants.values()
            if owner.peer not in excepted
        }

    def _of_source(self, owner: Participant, target: MuteTarget) -> list[Producer]:
        return [each for each in owner.producers.values() if target.source in (None, each.source)]

    def _check(self, actor: Participant, owner: str) -> None:
        if owner != actor.peer:
            require_moderator(actor)
