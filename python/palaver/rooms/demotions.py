"""Roles that were taken from people, for as long as the room lives: leaving and joining again does not bring them back."""

from __future__ import annotations

from typing import Final

from palaver.protocol.types import Role
from palaver.rooms.role import RANK, Claims

REMEMBERED: Final = 1000
"""Demotions kept; the oldest are forgotten first."""


class Demotions:
    """A token that was issued after a demotion ends it, because whoever mints tokens has decided anew; one that a node made
    from an older one (refreshToken) does not."""

    def __init__(self) -> None:
        self._roles: dict[str, tuple[Role, float]] = {}
        """Identity → the role that it was given, and when (seconds since the Unix epoch)."""

    def note(self, claims: Claims, role: Role, now: float) -> None:
        """Takes note that the holder of a token was given a role; one that the token gives, too, is no demotion."""
        self._roles.pop(claims.identity, None)
        if RANK[role] < RANK[claims.role]:
            self._roles[claims.identity] = (role, now)
        if len(self._roles) > REMEMBERED:
            del self._roles[next(iter(self._roles))]

    def role_of(self, claims: Claims) -> Role:
        """The role that the holder of a token joins with."""
        role, when = self._roles.get(claims.identity, (claims.role, 0.0))
        if claims.decided_at is not None and claims.decided_at > when:
            return claims.role
        return min(role, claims.role, key=RANK.__getitem__)
