"""Muting: what `mute` and `unmute` do to people, and to what they send (protocol § 5)."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from palaver.protocol import events
from palaver.protocol.errors import ProtocolError
from palaver.protocol.methods.media_control import Mute, MuteResult, MuteTarget
from palaver.protocol.types import Source
from palaver.rooms.media import Producer
from palaver.rooms.mutes import SOURCES, sources_of
from palaver.rooms.participant import Participant
from palaver.rooms.room import Room
from palaver.signaling.admission import require_moderator
from palaver.signaling.message import Message

PRIVATE: Final = frozenset({"microphone", "camera"})
"""Sources that nobody opens for another: lifting a mute leaves them paused by their owner, who is asked."""


class _Meant(Struct, frozen=True):
    """One participant whom a request means."""

    owner: Participant
    producers: list[Producer]
    sources: tuple[Source, ...] = ()
    """Of the person, whatever they send now; none where the room remembers it for all."""


def mute(message: Message, params: Mute) -> MuteResult:
    """Sets the own bit of what one sends, or as a moderator the other one, and that of what the person sends later."""
    room, actor = message.seat
    affected = 0
    for meant in _targets(message, params.target, muting=True):
        owner = meant.owner
        if owner is actor:
            hit = [each for each in meant.producers if room.set_paused(each, by=actor.peer, self_bit=True)]
        else:
            news = [source for source in meant.sources if room.mutes.mute(owner.identity, source)]
            open_ones = [each for each in meant.producers if not each.paused_by_moderator]
            hit = [each for each in open_ones if room.set_paused(each, by=actor.peer, moderator_bit=True)]
            if news or open_ones:
                told = events.YouMuted(room.shown(actor.peer), [each.id for each in open_ones])
                room.tell(told, to=owner.peer)
        affected += len(hit)
        _tell(room, actor, owner, hit, events.MediaMuted)
    return MuteResult(affected, 0)


def unmute(message: Message, params: Mute) -> MuteResult:
    """Lifts the mute. Another's microphone or camera does not open by that: its owner is asked to."""
    room, actor = message.seat
    affected = asked = 0
    for meant in _targets(message, params.target, muting=False):
        owner = meant.owner
        own, moderates = owner is actor, actor.is_moderator
        if moderates:
            for source in meant.sources:
                room.mutes.unmute(owner.identity, source)
        opened = [each for each in meant.producers if _lift(room, actor, each, own)]
        affected += len(opened)
        _tell(room, actor, owner, opened, events.MediaUnmuted)
        waiting = [each.id for each in meant.producers if each.paused_by_self]
        if waiting and not own:
            room.tell(events.YouUnmuteRequested(room.shown(actor.peer), waiting), to=owner.peer)
            asked += 1
    return MuteResult(affected, asked)


def _lift(room: Room, actor: Participant, producer: Producer, own: bool) -> bool:
    """Lifts what the actor may lift of a producer's bits. Returns whether it is open now, and was not."""
    moderates = actor.is_moderator
    if not (own and producer.paused_by_self) and not (moderates and producer.paused_by_moderator):
        return False
    closed = not own and (producer.paused_by_self or producer.source in PRIVATE)
    return room.set_paused(
        producer, by=actor.peer, self_bit=closed, moderator_bit=False if moderates else None
    )


def _tell(
    room: Room,
    actor: Participant,
    owner: Participant,
    producers: list[Producer],
    kind: type[events.MediaMuted] | type[events.MediaUnmuted],
) -> None:
    """Tells those not involved, of each producer only those who may know of it."""
    others = frozenset(room.participants) - {actor.peer, owner.peer}
    audiences: dict[frozenset[str], list[str]] = {}
    for producer in producers:
        audience = room.audience_of(producer)
        audiences.setdefault(others if audience is None else others & audience, []).append(producer.id)
    for audience, ids in audiences.items():
        if audience:
            room.tell(kind(owner.peer, ids, room.shown(actor.peer)), to=audience)


def _targets(message: Message, target: str | MuteTarget, muting: bool) -> list[_Meant]:
    """Whom and what the request means. A mute of all is remembered by the room here, for those who come later."""
    room, actor = message.seat
    if isinstance(target, str):
        return [_Meant(actor, list(actor.producers.values()), SOURCES)]
    named = [target.peer is not None, target.producer is not None, target.all_except is not None]
    if sum(named) != 1:
        raise ProtocolError("invalid_params", "a target is one of peer, producer, allExcept", path="$.target")
    if target.producer is not None:
        producer = room.find_moderated(actor, target.producer)
        if producer is None:
            raise ProtocolError("not_found", "there is no such producer", path="$.target.producer")
        _check(actor, producer.peer)
        return [_Meant(room.participants[producer.peer], [producer], (producer.source,))]
    if target.peer is not None:
        owner = room.participants.get(target.peer)
        if owner is None:
            raise ProtocolError("not_found", "there is no such peer", path="$.target.peer")
        _check(actor, owner.peer)
        return [_Meant(owner, _of_source(owner, target.source), sources_of(target.source))]
    require_moderator(actor.role)
    message.work = len(room.participants) + len(room.producers)
    peers = {*(target.all_except or ())}
    excepted = {each.identity for each in room.participants.values() if each.peer in peers} | peers
    excepted.add(actor.identity)
    (room.mutes.mute_all if muting else room.mutes.unmute_all)(target.source, excepted)
    return [
        _Meant(owner, _of_source(owner, target.source))
        for owner in room.participants.values()
        if owner.identity not in excepted
    ]


def _of_source(owner: Participant, source: Source | None) -> list[Producer]:
    return [each for each in owner.producers.values() if source in (None, each.source)]


def _check(actor: Participant, owner: str) -> None:
    if owner != actor.peer:
        require_moderator(actor.role)
