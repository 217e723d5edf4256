"""Schedule: which event goes next to one receiver. Pure; `now` is monotonic seconds.

One event of a room is under way at a time, the next follows when it has arrived or was given up: so they arrive in
order. Rooms do not wait for one another.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from typing import Final

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 60.0
"""Seconds: soon enough after an outage, and not a storm in it."""


class Schedule:
    """`take` until it gives None; then `delivered` or `failed` for each that was taken.

    `chance()` gives numbers from 0 to 1. After `deadline` seconds of its age a failed event is given up.
    """

    def __init__(self, deadline: float, chance: Callable[[], float]) -> None:
        self._deadline = deadline
        self._chance = chance
        self._rooms: dict[str, deque[tuple[int, float]]] = {}
        """Life of a room → (number, created) of its events, oldest first."""
        self._ready: deque[str] = deque()
        self._waiting: list[tuple[float, str]] = []
        self._failures: dict[str, int] = {}
        self._taken: dict[int, str] = {}
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, number: int, life: str, created: float) -> None:
        """Numbers must rise. `created` is seconds since the Unix epoch."""
        self._length += 1
        queue = self._rooms.get(life)
        if queue is None:
            queue = self._rooms[life] = deque()
            self._ready.append(life)
        queue.append((number, created))

    def take(self, now: float) -> int | None:
        """The number of the next event to send; None where nothing is due."""
        while self._waiting and self._waiting[0][0] <= now:
            self._ready.append(heapq.heappop(self._waiting)[1])
        while self._ready:
            life = self._ready.popleft()
            queue = self._rooms[life]
            if queue:
                number = queue[0][0]
                self._taken[number] = life
                return number
            self._drop(life)  # all that it had was forgotten
        return None

    def next_due(self) -> float | None:
        """When `take` may have something that it has not now; None: only after `add`, `delivered` or `failed`."""
        return self._waiting[0][0] if self._waiting else None

    def delivered(self, number: int) -> None:
        """Also for one that is no longer to be sent."""
        life = self._taken.pop(number)
        queue = self._rooms[life]
        queue.popleft()
        self._length -= 1
        self._failures.pop(life, None)
        if queue:
            self._ready.append(life)
        else:
            self._drop(life)

    def failed(self, number: int, now: float, wall: float) -> bool:
        """It will be taken again later, or is given up: then returns True."""
        life = self._taken[number]
        if wall - self._rooms[life][0][1] >= self._deadline:
            self.delivered(number)
            return True
        del self._taken[number]
        failures = self._failures[life] = self._failures.get(life, 0) + 1
        heapq.heappush(self._waiting, (now + pause(failures, self._chance()), life))
        return False

    def forget(self, number: int) -> int:
        """Drops events up to this number that are not under way. Returns how many: they will not be taken."""
        before, under_way = self._length, set(self._taken.values())
        for life, queue in self._rooms.items():
            head = queue.popleft() if life in under_way else None
            while queue and queue[0][0] <= number:
                queue.popleft()
                self._length -= 1
            if head is not None:
                queue.appendleft(head)
        return before - self._length

    def _drop(self, life: str) -> None:
        del self._rooms[life]
        self._failures.pop(life, None)


def pause(failures: int, chance: float) -> float:
    """Doubles with each failure, and is spread over its upper half, so that rooms do not come back together."""
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures - 1, 30))
    return longest * (0.5 + chance / 2)
