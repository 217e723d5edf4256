"""RoomAdminHandler: administration."""

from __future__ import annotations

from collections.abc import Mapping

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
from palaver.rooms.lock import RoomLock
from palaver.rooms.participant import Participant
from palaver.rooms.role import RANK
from palaver.rooms.room import Room
from palaver.signaling.administration import Administration, participant_as_principal
from palaver.signaling.admission import require_moderator
from palaver.signaling.message import Message
from palaver.signaling.router import Verb


class RoomAdminHandler:
    def __init__(self, administration: Administration) -> None:
        self._administration = administration

    @property
    def routes(self) -> Mapping[str, Verb]:
        return {
            "lockRoom": self.lock,
            "unlockRoom": self.unlock,
            "kickUser": self.kick,
            "setRole": self.set_role,
        }

    def lock(self, message: Message, params: LockRoom) -> VersionResult:
        room, actor = self._moderated(message)
        lock = RoomLock(params.mode, params.message, frozenset(params.admit))
        principal = participant_as_principal(actor)
        return self._administration.set_lock(room, lock, principal, params.if_version)

    def unlock(self, message: Message, params: UnlockRoom) -> VersionResult:
        room, actor = self._moderated(message)
        return self._administration.set_lock(room, None, participant_as_principal(actor), params.if_version)

    def kick(self, message: Message, params: KickUser) -> KickUserResult:
        room, actor = self._moderated(message)
        return self._administration.kick(room, params, participant_as_principal(actor))

    def set_role(self, message: Message, params: SetRole) -> SetRoleResult:
        room, actor = self._moderated(message)
        target = room.participants.get(params.peer)
        if target is None:
            raise ProtocolError("not_found", "there is no such participant", path="$.peer")
        if max(RANK[params.role], target.rank) > actor.rank:
            raise ProtocolError("forbidden", "nobody gives or takes a role above their own", need="role")
        owners = [each for each in room.participants.values() if each.role == "owner"]
        if owners == [target] and params.role != "owner":
            raise ProtocolError("conflict", "the last owner stays an owner", path="$.role")
        self._administration.set_role(room, target, params.role, actor.peer)
        return SetRoleResult(target.role, target.effective_grants, room.version)

    def _moderated(self, message: Message) -> tuple[Room, Participant]:
        room, actor = message.seat
        require_moderator(actor.role)
        return room, actor
