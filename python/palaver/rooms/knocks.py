"""Who knocked at a locked room lately: a knock that is told again and again would be a way to shout at its moderators."""

from __future__ import annotations

from typing import Final

KNOCK_SECONDS: Final = 10.0
"""Somebody's knock is told once within this time: people try again, and so do their clients."""
KNOCKS: Final = 100
"""Knocks told within that time, of all together."""


class Knocks:
    def __init__(self) -> None:
        self._told: dict[str, float] = {}
        """Identity → when its knock was told, oldest first."""

    def admit(self, identity: str, now: float) -> bool:
        """Whether this knock is to be told; then it counts."""
        while self._told and (oldest := next(iter(self._told.items())))[1] <= now - KNOCK_SECONDS:
            del self._told[oldest[0]]
        if identity in self._told or len(self._told) >= KNOCKS:
            return False
        self._told[identity] = now
        return True
