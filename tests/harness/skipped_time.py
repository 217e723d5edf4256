"""A loop whose time goes on only when nothing else is left to do, and then to the next timer at once."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, Final

SETTLE_SECONDS: Final = 0.005
"""Real seconds that bytes on loopback may take before the time is moved on. Longer makes a test slower, no less right."""


class _SettlingSelector(selectors.DefaultSelector):
    """Waits for what is on its way, and instead of waiting for a timer moves the time on to it."""

    skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        events = super().select(SETTLE_SECONDS)
        if not events:
            self.skipped += timeout
        return events


class SkippedTime(asyncio.SelectorEventLoop):
    """Real sockets and signals, but `time()` and all that hangs on it is as the timers want it: an hour takes a moment.

    For code that measures with the loop's clock and works in no other thread: nobody here waits for a thread.
    """

    def __init__(self) -> None:
        self._settling = _SettlingSelector()
        super().__init__(self._settling)

    def time(self) -> float:
        return self._settling.skipped


def run(scene: Coroutine[Any, Any, None]) -> None:
    """Runs it to its end on a loop of this kind."""
    with asyncio.Runner(loop_factory=SkippedTime) as runner:
        runner.run(scene)
