"""The moderators' mutes of a room. They are of people, not of objects: who closes a muted producer and makes another,
joins late, rejoins, or turns one source into another stays muted until a moderator says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, get_args

from palaver.protocol.types import Source

SOURCES: Final[tuple[Source, ...]] = get_args(Source)
REMEMBERED: Final = 1000
"""Single mutes kept; the oldest are forgotten first."""


class Mutes:
    def __init__(self) -> None:
        self._all: dict[Source, frozenset[str]] = {}
        """Source that everybody is muted for → identities that are not."""
        self._single: dict[tuple[str, Source], None] = {}

    def covers(self, identity: str, source: Source) -> bool:
        if (identity, source) in self._single:
            return True
        excepted = self._all.get(source)
        return excepted is not None and identity not in excepted

    def mute(self, identity: str, source: Source) -> None:
        self._single[identity, source] = None
        if len(self._single) > REMEMBERED:
            del self._single[next(iter(self._single))]

    def unmute(self, identity: str, source: Source) -> None:
        self._single.pop((identity, source), None)
        if source in self._all:
            self._all[source] |= {identity}

    def mute_all(self, source: Source | None, excepted: Iterable[str]) -> None:
        """Mutes everybody, those who join later too; `source` None: every source."""
        for each in SOURCES if source is None else (source,):
            self._all[each] = frozenset(excepted)

    def unmute_all(self, source: Source | None) -> None:
        for each in SOURCES if source is None else (source,):
            self._all.pop(each, None)
            for key in [key for key in self._single if key[1] == each]:
                del self._single[key]
