"""RoomLock: who may enter a room that is locked."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class RoomLock(Struct, frozen=True):
    mode: Literal["closed", "knock"]
    message: str = ""
    admit: frozenset[str] = frozenset()
    """Identities that may enter all the same."""
