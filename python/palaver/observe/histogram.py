"""Histogram: how often something took how long, cheap enough for the message path."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

REQUEST_SECONDS: Final = (25e-6, 50e-6, 100e-6, 250e-6, 1e-3, 5e-3, 25e-3, 0.1, 0.5, 2.5)
"""From a relayed candidate (20 µs) to an answer of a media node (some 100 ms)."""
JOIN_SECONDS: Final = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""From a socket to a seat: a few round trips of the client's, and what it does between them."""


class Histogram:
    """Counts per bucket, and the sum. A bucket counts what is above the bound before it and not above its own."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        """`bounds` rise; what is above the last has a bucket of its own."""
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float, count: int = 1) -> None:
        """Notes a value, or so many equal ones."""
        # Most are as quick as can be told apart.
        self.counts[0 if value <= self.bounds[0] else bisect_left(self.bounds, value)] += count
        self.sum += value * count

    def cumulative(self) -> list[tuple[str, float]]:
        """Pairs of an upper bound and how many were not above it, as Prometheus wants them."""
        total, pairs = 0, []
        for bound, count in zip((*map(repr, self.bounds), "+Inf"), self.counts, strict=True):
            total += count
            pairs.append((bound, float(total)))
        return pairs
