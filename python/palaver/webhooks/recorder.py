"""Recorder: takes note of events without waiting, and writes them down together in a thread of its own."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from palaver.webhooks.journal import Journal, Settled
from palaver.webhooks.narrator import Record

log = logging.getLogger(__name__)
T = TypeVar("T")

BATCH: Final = 1000
"""Events of one transaction: one fsync for all that came while the last was under way."""
RETRY_SECONDS: Final = 1.0


class Recorder:
    """`note` and `settle` at any time from the loop; `run` in a task; at the end cancel it and `await close()`.

    `written` is called on the loop with what has become durable, in order. While the disk does not take them, at most
    `bound` events wait in memory; further ones are lost, and counted.
    """

    def __init__(self, journal: Journal, bound: int, written: Callable[[list[Record]], None]) -> None:
        self.problem: str | None = None
        """One sentence, while events cannot be kept."""
        self.lost = 0
        self._journal = journal
        self._bound = bound
        self._written = written
        self._thread = ThreadPoolExecutor(1, "events")
        self._buffer: deque[Record] = deque()
        self._settled: list[Settled] = []
        self._wake = asyncio.Event()
        self._closed = False

    def note(self, record: Record) -> None:
        if len(self._buffer) >= self._bound:
            self.lost += 1
            return
        self._buffer.append(record)
        self._wake.set()

    def settle(self, settled: Settled) -> None:
        self._settled.append(settled)
        self._wake.set()

    async def read(self, read: Callable[[Journal], T]) -> T:
        """Reads the journal in its thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, read, self._journal)

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._buffer or self._settled:
                if not await self._write():
                    await asyncio.sleep(RETRY_SECONDS)

    async def _write(self) -> bool:
        batch = [self._buffer[index] for index in range(min(BATCH, len(self._buffer)))]
        settled = list(self._settled)
        try:
            await self.read(lambda journal: journal.write(batch, settled))
        except OSError as error:
            if self.problem is None:
                log.error("events cannot be kept", extra={"reason": error.strerror})
            self.problem = f"events cannot be kept: {error.strerror}"
            return False
        if self.problem is not None:
            log.info("events can be kept again")
            self.problem = None
        del self._settled[: len(settled)]
        for _ in batch:
            self._buffer.popleft()
        self._written(batch)
        return True

    async def close(self) -> None:
        """Writes what is left, once, and closes the journal. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        while (self._buffer or self._settled) and await self._write():
            pass
        if self._buffer:
            log.error("events are lost", extra={"count": len(self._buffer)})
        self._thread.shutdown()
        self._journal.close()
