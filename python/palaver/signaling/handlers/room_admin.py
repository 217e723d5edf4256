"""RoomAdminHandler: administration."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from palaver.protocol import events
from palaver.protocol.close_codes import CloseCode
from palaver.protocol.errors import ProtocolError
from palaver.protocol.methods.room_admin import (
    KickUser,
    KickUserResult,
    LockRoom,
    SetRole,
    SetRoleResult,
    UnlockRoom,
    VersionResult,
)
from palaver.rooms.role import RANK
from palaver.rooms.room import Participant, Room, RoomLock
from palaver.rooms.session_manager import SessionManager
from palaver.signaling.admission import require_moderator
from palaver.signaling.message import Message
from palaver.signaling.router import Verb
from palaver.signaling.rulings import Ruling, Rulings


class RoomAdminHandler:
    def __init__(self, sessions: SessionManager, rulings: Rulings, wall: Callable[[], float]) -> None:
        self._sessions = sessions
        self._rulings = rulings
        self._wall = wall

    @property
    def routes(self) -> Mapping[str, Verb]:
        return {
            "lockRoom": self.lock,
            "unlockRoom": self.unlock,
            "kickUser": self.kick,
            "setRole": self.set_role,
        }

    def lock(self, message: Message, params: LockRoom) -> VersionResult:
        room, actor = self._moderated(message, params.if_version)
        lock = RoomLock(params.mode, params.message, frozenset(params.admit))
        changed = room.set_lock(lock, by=actor.peer)
        return VersionResult(room.version, changed)

    def unlock(self, message: Message, params: UnlockRoom) -> VersionResult:
        room, actor = self._moderated(message, params.if_version)
        changed = room.set_lock(None, by=actor.peer)
        return VersionResult(room.version, changed)

    def kick(self, message: Message, params: KickUser) -> KickUserResult:
        """Ends a stay; with `ban` it cannot begin again, with `revokeBefore` the tokens of before are void.

        Durable first, then done: what is acknowledged holds after a restart.
        """
        room, actor = self._moderated(message, None)
        if (params.peer is None) == (params.identity is None):
            raise ProtocolError("invalid_params", "name a peer or an identity", path="$.peer")
        target = room.participants.get(params.peer or room.peer_of.get(params.identity or "", ""))
        if target is None and (params.peer is not None or not (params.ban or params.revoke_before)):
            raise ProtocolError("not_found", "there is no such participant", path="$.peer")
        if target is not None and target.rank >= actor.rank:
            raise ProtocolError("forbidden", "nobody kicks at or above their own role", need="role")
        identity = target.identity if target is not None else params.identity
        assert identity is not None, "one of the two was named"
        rulings = self._rulings_of(params, identity, room, actor)
        if rulings:
            self._rulings.add(rulings)
        ban_id = next((each.id for each in rulings if each.kind == "ban"), None)
        if target is not None:
            self._end(room, target, actor, params.reason, ban_id)
        return KickUserResult(target is not None, True, ban_id)

    def set_role(self, message: Message, params: SetRole) -> SetRoleResult:
        room, actor = self._moderated(message, None)
        target = room.participants.get(params.peer)
        if target is None:
            raise ProtocolError("not_found", "there is no such participant", path="$.peer")
        if max(RANK[params.role], target.rank) > actor.rank:
            raise ProtocolError("forbidden", "nobody gives or takes a role above their own", need="role")
        owners = [each for each in room.participants.values() if each.role == "owner"]
        if owners == [target] and params.role != "owner":
            raise ProtocolError("conflict", "the last owner stays an owner", path="$.role")
        room.set_role(target, params.role, by=actor.peer)
        return SetRoleResult(target.role, target.effective_grants, room.version)

    def _moderated(self, message: Message, if_version: int | None) -> tuple[Room, Participant]:
        room, actor = message.seat
        require_moderator(actor)
        if if_version is not None and if_version != room.version:
            raise ProtocolError("conflict", "the room has changed meanwhile", version=room.version)
        return room, actor

    def _rulings_of(self, params: KickUser, identity: str, room: Room, actor: Participant) -> list[Ruling]:
        now, rulings = self._wall(), []
        if params.ban is not None:
            until = None if params.ban.ttl_s is None else now + params.ban.ttl_s
            where = room.id if params.ban.scope == "room" else ""
            ban = Ruling(self._sessions.new_id("b"), "ban", identity, now, actor.identity, where, until)
            rulings.append(ban)
        if params.revoke_before is not None:
            before = min(params.revoke_before, now)
            revoke = Ruling(
                self._sessions.new_id("b"), "revoke", identity, now, actor.identity, before=before
            )
            rulings.append(revoke)
        return rulings

    def _end(
        self, room: Room, target: Participant, actor: Participant, reason: str, ban_id: str | None
    ) -> None:
        sink = target.session.sink
        room.tell(events.YouKicked(actor.peer, reason, ban_id), to=target.peer)
        self._sessions.end(target.session, "kicked", by=actor.peer)
        if sink is not None:
            sink.close(CloseCode.KICKED if ban_id is None else CloseCode.BANNED, reason or "kicked")
