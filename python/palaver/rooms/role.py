"""Roles and grants: what a participant may do (protocol § 4)."""

from __future__ import annotations

from typing import Any, Final, Literal, get_args

import msgspec
from msgspec import Struct

from palaver.protocol.types import Role, Source

RANK: Final[dict[Role, int]] = {role: rank for rank, role in enumerate(reversed(get_args(Role)))}
"""observer 0 < participant 1 < presenter 2 < moderator 3 < owner 4."""


def is_moderator(role: Role) -> bool:
    return RANK[role] >= RANK["moderator"]


Need = Literal[
    "canPublish", "canSubscribe", "canPublishData", "roomAdmin", "roomJoin", "roomList", "diag", "chaos"
]


class Grants(Struct, frozen=True, rename="camel"):
    """What the token allows, in the shape of LiveKit's VideoGrant plus ours."""

    room: str = ""
    room_join: bool = False
    room_admin: bool = False
    room_list: bool = False
    can_publish: bool = True
    can_subscribe: bool = True
    can_publish_sources: tuple[Source, ...] = ()
    can_publish_data: bool = True
    hidden: bool = False
    chaos: bool = False
    diag: bool = False

    def admits(self, room: str) -> bool:
        """Whether the token is for this room. A token without a room is for any."""
        return self.room_join and self.room in ("", room)

    def may_publish(self, source: Source) -> bool:
        if source == "data":
            return self.can_publish_data
        return self.can_publish and (not self.can_publish_sources or source in self.can_publish_sources)


class Claims(Struct, frozen=True):
    """A verified token."""

    identity: str
    expires_at: float
    """Seconds since the Unix epoch."""
    key_id: str
    grants: Grants
    role: Role
    name: str = ""
    attributes: dict[str, str] = {}
    issued_at: float | None = None
    token_id: str = ""
    decided_at: float | None = None
    """When an issuer decided on it: a token that a node made from another has the time of that one's."""

    def wire_grants(self) -> dict[str, Any]:
        grants: dict[str, Any] = msgspec.to_builtins(self.grants)
        return grants
