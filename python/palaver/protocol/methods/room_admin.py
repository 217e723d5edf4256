"""Params and results of RoomAdminHandler: administration."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from palaver.protocol.types import Count, Name, Params, Result, Role, Text


class LockRoom(Params):
    mode: Literal["closed", "knock"] = "closed"
    message: Text = ""
    admit: Annotated[
        list[Name], Meta(max_length=1000, description="Identities that may enter all the same.")
    ] = []
    if_version: Count | None = None


class UnlockRoom(Params):
    if_version: Count | None = None


class VersionResult(Result):
    version: int
    changed: bool


class Ban(Params):
    scope: Literal["room", "all"] = "room"
    ttl_s: Annotated[int, Meta(ge=1, le=10 * 365 * 86_400)] | None = None


class KickUser(Params):
    peer: Name | None = None
    identity: Name | None = None
    reason: Text = ""
    ban: Ban | None = None
    revoke_before: (
        Annotated[
            float,
            Meta(
                ge=0,
                le=1e11,
                description="Seconds since the epoch: this identity's tokens issued before are void.",
            ),
        ]
        | None
    ) = None


class KickUserResult(Result):
    kicked: bool
    converged: Annotated[bool, Meta(description="Whether every node of the cluster has confirmed it.")]
    ban_id: str | None = None


class SetRole(Params):
    peer: Name
    role: Role


class SetRoleResult(Result):
    role: Role
    grants: dict[str, Any]
    version: int
