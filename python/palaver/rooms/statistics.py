"""What a participant measured of its media in the last minutes, within a budget of bytes."""

from __future__ import annotations

from collections import deque
from typing import Any, Final, Literal

import msgspec

STATS_SECONDS: Final = 300.0
STATS_BYTES: Final = 128 * 1024
"""Kept per producer or consumer, encoded: as much as one reply shows. Five minutes at one 430-byte sample a second."""
SAMPLE_BYTES: Final = 120
"""What Python adds to a sample (CPython 3.11: its bytes object, its time, its place); small ones cost mostly this."""
MAX_RINGS: Final = 64
"""Producers and consumers of one participant whose statistics are kept at once; the oldest give way."""

Measured = tuple[Literal["producer", "consumer"], str]


class StatsRing:
    """The samples of one producer or consumer: five minutes, at most 128 KiB. They stay encoded until somebody asks."""

    __slots__ = ("_bytes", "_kept")

    def __init__(self) -> None:
        self._kept: deque[tuple[float, bytes]] = deque()
        self._bytes = 0

    @property
    def cost(self) -> int:
        """Bytes of memory."""
        return self._bytes + SAMPLE_BYTES * len(self._kept)

    def add(self, samples: list[dict[str, Any]], now: float) -> None:
        for sample in samples:
            encoded = msgspec.json.encode(sample)
            self._kept.append((now, encoded))
            self._bytes += len(encoded)
        while self._bytes > STATS_BYTES:
            self.drop_oldest()

    def read(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(encoded) for _, encoded in self._kept]

    def forget_before(self, then: float) -> None:
        while self._kept and self._kept[0][0] < then:
            self.drop_oldest()

    def drop_oldest(self) -> None:
        self._bytes -= len(self._kept.popleft()[1])


class Statistics:
    """The rings of one participant. Over the budget the longest gives up its oldest samples: a flood pushes out itself."""

    __slots__ = ("_rings",)

    def __init__(self) -> None:
        self._rings: dict[Measured, StatsRing] = {}

    @property
    def cost(self) -> int:
        """Bytes of memory."""
        return sum(ring.cost for ring in self._rings.values())

    def add(self, what: Measured, samples: list[dict[str, Any]], now: float, budget: int) -> None:
        ring = self._rings.get(what)
        if ring is None:
            if len(self._rings) >= MAX_RINGS:
                del self._rings[next(iter(self._rings))]
            ring = self._rings[what] = StatsRing()
        ring.add(samples, now)
        ring.forget_before(now - STATS_SECONDS)
        if self.cost > budget:
            for each in self._rings.values():
                each.forget_before(now - STATS_SECONDS)
            over = self.cost - budget
            while over > 0:
                longest = max(self._rings.values(), key=lambda each: each.cost)
                before = longest.cost
                longest.drop_oldest()
                over -= before - longest.cost

    def read(self, what: Measured, now: float) -> list[dict[str, Any]]:
        ring = self._rings.get(what)
        if ring is None:
            return []
        ring.forget_before(now - STATS_SECONDS)
        return ring.read()

    def forget(self, id: str) -> None:
        """Drops what was measured of a producer or consumer that is closed."""
        self._rings.pop(("producer", id), None)
        self._rings.pop(("consumer", id), None)
