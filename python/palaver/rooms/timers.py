"""Timers: what is to be done when. Time is an argument; a cancelled timer costs nothing for long."""

from __future__ import annotations

import heapq
from collections.abc import Callable


class Timer:
    """One call at one time. `cancel` may be called at any time, also after it was due."""

    __slots__ = ("_call", "_timers", "when")

    def __init__(self, when: float, call: Callable[[], object], timers: Timers) -> None:
        self.when = when
        self._call: Callable[[], object] | None = call
        self._timers = timers

    def cancel(self) -> None:
        if self._call is not None:
            self._call = None
            self._timers.cancelled += 1

    @property
    def alive(self) -> bool:
        return self._call is not None

    def fire(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            call()


class Timers:
    """A heap of timers. Compacted when most of it is cancelled, so that churn does not pile up until the timers are due."""

    def __init__(self) -> None:
        self.cancelled = 0
        self._heap: list[tuple[float, int, Timer]] = []
        self._made = 0

    def __len__(self) -> int:
        return len(self._heap)

    def at(self, when: float, call: Callable[[], object]) -> Timer:
        timer = Timer(when, call, self)
        self._made += 1
        heapq.heappush(self._heap, (when, self._made, timer))
        if self.cancelled > 64 and self.cancelled > len(self._heap) // 2:
            self._heap = [entry for entry in self._heap if entry[2].alive]
            heapq.heapify(self._heap)
            self.cancelled = 0
        return timer

    def next_deadline(self) -> float | None:
        return self._heap[0][0] if self._heap else None

    def advance(self, now: float) -> None:
        """Fires what is due, in order of time and, at one time, of making."""
        while self._heap and self._heap[0][0] <= now:
            timer = heapq.heappop(self._heap)[2]
            if timer.alive:
                timer.fire()
            else:
                self.cancelled = max(0, self.cancelled - 1)
