"""LoopLag: how late the event loop is, on average of the last second. Pure: the loop's timer tells it."""

from __future__ import annotations

import math
from typing import Final

AVERAGED_SECONDS: Final = 1.0
"""The time constant: a stall counts by its length, and is forgotten by two thirds after so long."""


class LoopLag:
    """An average weighted by time, so that one stall of two seconds outweighs the forty ticks that it swallowed."""

    def __init__(self, tick_seconds: float) -> None:
        self.seconds = 0.0
        """The average."""
        self.longest = 0.0
        """The longest stall so far."""
        self._tick = tick_seconds

    def ticked(self, elapsed: float) -> float:
        """A timer of `tick_seconds` has fired after `elapsed` seconds. Returns the average."""
        late = max(0.0, elapsed - self._tick)
        weight = 1 - math.exp(-elapsed / AVERAGED_SECONDS)
        self.seconds += weight * (late - self.seconds)
        self.longest = max(self.longest, late)
        return self.seconds
