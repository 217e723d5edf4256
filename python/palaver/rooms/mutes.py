"""The moderators' mutes of a room. They are of people, not of objects: who closes a muted producer and makes another,
joins late, rejoins, or turns one source into another stays muted until a moderator says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, get_args

from palaver.protocol.types import Source

SOURCES: Final[tuple[Source, ...]] = get_args(Source)
REMEMBERED: Final = 1000
"""Identities whose single mutes are kept; the oldest are forgotten first."""


class Mutes:
    def __init__(self) -> None:
        self._all: dict[Source, frozenset[str]] = {}
        """Source that everybody is muted for → identities that are not."""
        self._single: dict[str, frozenset[Source]] = {}
        """Identity → sources."""

    def covers(self, identity: str, source: Source) -> bool:
        if source in self._single.get(identity, ()):
            return True
        excepted = self._all.get(source)
        return excepted is not None and identity not in excepted

    def mute(self, identity: str, source: Source) -> bool:
        """Returns whether it was not muted before."""
        changed = not self.covers(identity, source)
        self._single[identity] = self._single.get(identity, frozenset()) | {source}
        if len(self._single) > REMEMBERED:
            del self._single[next(iter(self._single))]
        return changed

    def unmute(self, identity: str, source: Source) -> None:
        self._lift(identity, source)
        if source in self._all:
            self._all[source] |= {identity}

    def mute_all(self, source: Source | None, excepted: Iterable[str]) -> None:
        """Mutes everybody, those who join later too; `source` None: every source."""
        for each in sources_of(source):
            self._all[each] = frozenset(excepted)

    def unmute_all(self, source: Source | None, excepted: Iterable[str]) -> None:
        """Lifts the mute of all and every single one, but for those excepted: they stay as they are."""
        for each in sources_of(source):
            muted = [identity for identity in excepted if self.covers(identity, each)]
            self._all.pop(each, None)
            for identity in list(self._single):
                self._lift(identity, each)
            for identity in muted:
                self.mute(identity, each)

    def _lift(self, identity: str, source: Source) -> None:
        left = self._single.get(identity, frozenset()) - {source}
        if left:
            self._single[identity] = left
        else:
            self._single.pop(identity, None)


def sources_of(source: Source | None) -> tuple[Source, ...]:
    """The sources that a mute names; None: every one."""
    return SOURCES if source is None else (source,)
