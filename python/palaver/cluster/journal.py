"""EventJournal: the last things that happened in the cluster, for whoever watches."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

EVENTS: Final = 1_000
"""The most that are kept. One takes about 500 bytes."""


class JournalEntry(Struct, frozen=True):
    """`number` rises by one with each entry, from 1; `time` is seconds of Unix time."""

    number: int
    time: float
    kind: str
    facts: Mapping[str, Any]


class EventJournal:
    """A ring of entries. The oldest go first."""

    def __init__(self, bound: int = EVENTS) -> None:
        self._entries: deque[JournalEntry] = deque(maxlen=bound)
        self._next = 1

    def add(self, time: float, kind: str, facts: Mapping[str, Any]) -> None:
        self._entries.append(JournalEntry(self._next, time, kind, facts))
        self._next += 1

    def after(self, number: int, limit: int) -> list[JournalEntry]:
        """The earliest `limit` entries with a larger number."""
        return [entry for entry in self._entries if entry.number > number][:limit]
