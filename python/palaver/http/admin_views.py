"""What the admin API shows of rooms, sessions and bans. Pure: reads, and changes nothing."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from typing import Literal, TypeVar

from palaver.http.admin_shapes import BanView, LockView, PageQuery, ParticipantView, RoomView, SessionView
from palaver.rooms.participant import Participant
from palaver.rooms.room import Room
from palaver.rooms.session import SignalingSession
from palaver.signaling.rulings import Ruling

T = TypeVar("T")


def page(items: Iterable[T], key: Callable[[T], str], query: PageQuery) -> tuple[list[T], str | None]:
    """The items after the cursor in the order of their keys, and the next cursor (None: that is all).

    A cursor is the key of the item before: what comes and goes meanwhile makes no other appear twice or not at all.
    """
    after = (each for each in items if key(each) > query.cursor)
    found = heapq.nsmallest(query.limit + 1, after, key=key)
    if len(found) <= query.limit:
        return found, None
    return found[:-1], key(found[-2])


def room_view(room: Room) -> RoomView:
    lock = room.lock
    return RoomView(
        id=room.id,
        epoch=room.log.epoch,
        version=room.version,
        locked=lock is not None,
        participants=len(room.participants),
        producers=len(room.producers),
        lock=None if lock is None else LockView(lock.mode, lock.message, sorted(lock.admit)),
        attributes=room.attributes,
        media_node=room.media_node,
    )


def participant_view(participant: Participant) -> ParticipantView:
    return ParticipantView(
        peer=participant.peer,
        identity=participant.identity,
        role=participant.role,
        state=_state(participant.session),
        session=participant.session.session_id,
        consumers=len(participant.consumers),
        producers=[each.info for each in participant.producers.values()],
        name=participant.name,
        attributes=participant.attributes,
        hidden=participant.hidden,
    )


def session_view(session: SignalingSession) -> SessionView:
    """Of a session that has a seat. Its ticket is a secret, and not shown."""
    participant, claims = session.participant, session.claims
    assert participant is not None and claims is not None, "a registered session has a seat"
    return SessionView(
        id=session.session_id,
        identity=participant.identity,
        room=session.room_id or "",
        peer=participant.peer,
        state=_state(session),
        token_expires_at=int(claims.expires_at),
    )


def ban_view(ban: Ruling) -> BanView:
    until = None if ban.until is None else int(ban.until)
    return BanView(ban.id, ban.identity, int(ban.made_at), ban.by, ban.room, until, ban.reason)


def _state(session: SignalingSession) -> Literal["joined", "suspended"]:
    return "suspended" if session.state == "suspended" else "joined"
