"""One timer for many deadlines: a hashed wheel (Varghese and Lauck 1987, scheme 6)."""

from __future__ import annotations

from typing import Protocol


class Due(Protocol):
    """Something with a deadline."""

    wheel_slot: int
    """Where the wheel keeps it; -1 when it does not. Only the wheel touches this."""

    def due(self, now: float) -> float | None:
        """Its deadline has come. Does what has to be done and returns the next deadline, None for no more."""
        ...


class TimerWheel:
    """Deadlines are met at the first `advance` after them: up to one tick late, never early.

    The owner calls `advance(now)` about every `tick` seconds. Setting and discarding cost O(1); a deadline
    beyond the wheel's round is looked at once a round.
    """

    def __init__(self, tick: float, now: float, slots: int = 512) -> None:
        if tick <= 0 or slots < 2:
            raise ValueError(f"a wheel needs tick > 0 and at least 2 slots, not tick={tick}, slots={slots}")
        self.tick = tick
        self._slots: list[dict[Due, float]] = [{} for _ in range(slots)]
        self._position = self._tick_of(now)

    def __len__(self) -> int:
        return sum(map(len, self._slots))

    def set(self, entry: Due, deadline: float) -> None:
        """Adds the entry, or moves it to a new deadline."""
        self.discard(entry)
        position = max(self._tick_of(deadline) + 1, self._position + 1)
        entry.wheel_slot = position % len(self._slots)
        self._slots[entry.wheel_slot][entry] = deadline

    def discard(self, entry: Due) -> None:
        if entry.wheel_slot >= 0:
            self._slots[entry.wheel_slot].pop(entry, None)
            entry.wheel_slot = -1

    def advance(self, now: float) -> None:
        """Calls `due` of every entry whose deadline has passed, and sets it again if that names a next one."""
        target = self._tick_of(now)
        steps = min(target - self._position, len(self._slots))
        first = target - steps + 1
        for position in range(first, first + steps):
            self._position = position
            slot = self._slots[position % len(self._slots)]
            for entry, deadline in list(slot.items()):
                if deadline > now or slot.get(entry) != deadline:
                    continue  # not yet; or moved by the `due` of an earlier one
                self.discard(entry)
                following = entry.due(now)
                if following is not None:
                    self.set(entry, following)

    def _tick_of(self, moment: float) -> int:
        return int(moment / self.tick)
