"""Administration: locks, kicks, bans and the closing of rooms, whoever asks: a moderator on the wire or the operator.

Each verb takes the principal who acts. Whether they may act at all is settled before: a participant has passed
`require_moderator`, the operator has shown the admin token.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from palaver.protocol import events
from palaver.protocol.close_codes import CloseCode
from palaver.protocol.errors import ProtocolError
from palaver.protocol.methods.room_admin import KickUser, KickUserResult, VersionResult
from palaver.protocol.types import Role
from palaver.rooms.lock import RoomLock
from palaver.rooms.participant import Participant
from palaver.rooms.role import RANK
from palaver.rooms.room import Room
from palaver.rooms.session_manager import SessionManager
from palaver.signaling.rulings import OPERATOR_RANK, Ruling, Rulings


class Principal(Struct, frozen=True):
    """Who acts."""

    identity: str
    peer: str
    """What the others are told (`by`) comes of it: that of a hidden participant is shown to nobody (Room.shown)."""
    rank: int
    """They act on those below."""
    room: str = ""
    """The room that their token is bound to; empty: none, they may rule over every room."""


OPERATOR: Final = Principal("operator", "operator", OPERATOR_RANK)
"""Whoever runs the node. No peer has this id: theirs begin with p_."""


def participant_as_principal(participant: Participant) -> Principal:
    return Principal(participant.identity, participant.peer, participant.rank, participant.grants.room)


class Administration:
    """Durable first, then done: what is acknowledged holds after a restart. `wall()` is seconds since the epoch."""

    def __init__(self, sessions: SessionManager, rulings: Rulings, wall: Callable[[], float]) -> None:
        self._sessions = sessions
        self._rulings = rulings
        self._wall = wall

    def find_room(self, id: str) -> Room:
        """Raises ProtocolError not_found."""
        room = self._sessions.rooms.get(id)
        if room is None:
            raise ProtocolError("not_found", "there is no such room")
        return room

    def set_lock(
        self, room: Room, lock: RoomLock | None, actor: Principal, if_version: int | None = None
    ) -> VersionResult:
        """Locks or (None) unlocks; evicts nobody. Raises ProtocolError conflict where the version is another."""
        if if_version is not None and if_version != room.version:
            raise ProtocolError("conflict", "the room has changed meanwhile", version=room.version)
        changed = room.set_lock(lock, by=actor.peer)
        return VersionResult(room.version, changed)

    def set_role(self, room: Room, target: Participant, role: Role, by: str) -> None:
        """Changes a role; one that is below the token's also holds when the target joins again (see Demotions)."""
        room.set_role(target, role, by=by)
        if target.session.claims is not None:
            room.demotions.note(target.session.claims, role, self._wall())

    def kick(self, room: Room, params: KickUser, actor: Principal) -> KickUserResult:
        """Ends a stay; with `ban` it cannot begin again, with `revokeBefore` the tokens of before are void.

        A kick alone is from this room. A ban or revocation ends the stays in other rooms that it covers, too; then the
        actor must stand above the target in all of them. Raises ProtocolError invalid_params, not_found, forbidden, limit,
        or unavailable where it cannot be kept.
        """
        if (params.peer is None) == (params.identity is None):
            raise ProtocolError("invalid_params", "name either a peer or an identity", path="$.peer")
        target = room.participants.get(params.peer or room.peer_of.get(params.identity or "", ""))
        if target is None and (params.peer is not None or not (params.ban or params.revoke_before)):
            path = "$.identity" if params.peer is None else "$.peer"
            raise ProtocolError("not_found", "there is no such participant", path=path)
        if target is not None and target.rank >= actor.rank:
            raise ProtocolError("forbidden", "nobody kicks at or above their own role", need="role")
        if target is None and actor.rank < RANK["owner"]:
            raise ProtocolError("forbidden", "only an owner rules over who is absent", need="role")
        self.catch_up()
        if params.ban is not None and params.ban.scope == "all" and actor.room:
            raise ProtocolError("forbidden", "a token for one room bans from that room only", need="room")
        identity = target.identity if target is not None else params.identity
        assert identity is not None, "one of the two was named"
        rulings = []
        if params.ban is not None:
            where = room.id if params.ban.scope == "room" else ""
            rulings.append(self._ban(identity, where, params.ban.ttl_s, "", actor))
        if params.revoke_before is not None:
            rulings.append(self._revocation(identity, params.revoke_before, actor))
        for elsewhere, stay in self._stays(identity):
            if stay.rank >= actor.rank and any(_covers(each, elsewhere, stay) for each in rulings):
                raise ProtocolError("forbidden", "nobody kicks at or above their own role", need="role")
        rulings = self._rulings.add(rulings) if rulings else []
        ban_id = next((each.id for each in rulings if each.kind == "ban"), None)
        ended = 0
        if target is not None:
            self._end(room, target, actor, params.reason, ban_id)
            ended = 1
        if rulings:
            ended += self._end_stays(identity, actor, params.reason, ban_id)
        return KickUserResult(ended > 0, True, ban_id)

    def ban(
        self, identity: str, room: str, ttl_seconds: int | None, reason: str, actor: Principal
    ) -> tuple[Ruling, int]:
        """Bans an identity from one room, or with an empty `room` from all, and ends the stays that it covers.

        Returns the ban that holds now, which may be an older and longer one, and how many stays ended. Raises
        ProtocolError limit, or unavailable where it cannot be kept.
        """
        self.catch_up()
        (ban,) = self._rulings.add([self._ban(identity, room, ttl_seconds, reason, actor)])
        return ban, self._end_stays(identity, actor, reason, ban.id)

    def catch_up(self) -> None:
        """Does what other workers of the node have ruled since the last call: ends the stays that it covers.

        A stay at or above the rank of who ruled goes on, since nobody kicks those; but it cannot begin again.
        """
        for ruling in self._rulings.catch_up():
            is_operator = ruling.rank == OPERATOR_RANK
            actor = OPERATOR if is_operator else Principal(ruling.by, "hidden", ruling.rank)
            ban_id = ruling.id if ruling.kind == "ban" else None
            self._end_stays(ruling.identity, actor, ruling.reason, ban_id)

    def _end_stays(self, identity: str, actor: Principal, reason: str, ban_id: str | None) -> int:
        """Ends the identity's stays below the actor that rulings no longer allow, in whatever room. Returns how many."""
        ended = 0
        for room, target in self._stays(identity):
            if target.rank >= actor.rank:
                continue
            try:
                self._rulings.check_ban(identity, room.id, self._wall())
                if target.session.claims is not None:
                    self._rulings.check_token(target.session.claims, self._wall(), room.id)
            except ProtocolError:
                self._end(room, target, actor, reason, ban_id)
                ended += 1
        return ended

    def _stays(self, identity: str) -> list[tuple[Room, Participant]]:
        """Where an identity has a seat."""
        return [
            (room, room.participants[room.peer_of[identity]])
            for room in self._sessions.rooms.values()
            if identity in room.peer_of
        ]

    def bans(self) -> list[Ruling]:
        """The bans in force, oldest first."""
        self.catch_up()
        return self._rulings.bans(self._wall())

    def lift_ban(self, id: str) -> None:
        """Ends a ban before its time. Raises ProtocolError not_found or unavailable."""
        if all(each.id != id for each in self.bans()):
            raise ProtocolError("not_found", "there is no such ban")
        self._rulings.lift(id)

    def close_room(self, room: Room, actor: Principal, reason: str = "") -> int:
        """Ends every stay of a room, and so the room. Returns how many there were."""
        return self._sessions.close_room(room, reason or "the room is closed", by=actor.peer)

    def _ban(self, identity: str, room: str, ttl: int | None, reason: str, actor: Principal) -> Ruling:
        now = self._wall()
        until = None if ttl is None else now + ttl
        return Ruling(
            self._sessions.new_id("b"),
            "ban",
            identity,
            now,
            actor.identity,
            room,
            until,
            reason=reason,
            rank=actor.rank,
        )

    def _revocation(self, identity: str, before: float, actor: Principal) -> Ruling:
        now = self._wall()
        return Ruling(
            self._sessions.new_id("b"),
            "revoke",
            identity,
            now,
            actor.identity,
            actor.room,
            before=min(before, now),
            rank=actor.rank,
        )

    def _end(
        self, room: Room, target: Participant, actor: Principal, reason: str, ban_id: str | None
    ) -> None:
        sink = target.session.sink
        known = actor is OPERATOR or actor.peer in room.participants
        by = actor.peer if known else "hidden"  # nobody whom this room knows
        room.tell(events.YouKicked(room.shown(by), reason, ban_id), to=target.peer)
        self._sessions.end(target.session, "kicked", by=by)
        if sink is not None:
            sink.close(CloseCode.KICKED if ban_id is None else CloseCode.BANNED, reason or "kicked")


def _covers(ruling: Ruling, room: Room, stay: Participant) -> bool:
    """Whether a ruling ends a stay of its identity."""
    claims = stay.session.claims
    return ruling.bans_from(room.id) or (claims is not None and ruling.voids(claims, room.id))
