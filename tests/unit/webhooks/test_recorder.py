"""A disk that takes no more: said, waited for, and got over; nothing that was noted is lost for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from palaver.webhooks import recorder as module
from palaver.webhooks.journal import Journal, Settled
from palaver.webhooks.narrator import Life, Record
from palaver.webhooks.recorder import Recorder


class Disk(Journal):
    """A journal on a disk that can be full."""

    def __init__(self) -> None:
        super().__init__(None, ("http://one",), 1000)
        self.full = False
        self.refused = asyncio.Event()
        self.loop = asyncio.get_running_loop()

    def write(self, records: Sequence[Record], settled: Sequence[Settled]) -> None:
        if self.full:
            self.loop.call_soon_threadsafe(self.refused.set)
            raise OSError(28, "database or disk is full")
        super().write(records, settled)


def record(number: int) -> Record:
    return Record(number, Life("RM_a", "room", 1, number), 0.0, b"{}")


async def test_a_full_disk_is_said_and_got_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)
    written: asyncio.Queue[int] = asyncio.Queue()
    disk = Disk()

    def note(records: list[Record]) -> None:
        for each in records:
            written.put_nowait(each.number)

    recorder = Recorder(disk, 1000, note)
    task = asyncio.create_task(recorder.run())
    recorder.note(record(1))
    async with asyncio.timeout(5):
        assert await written.get() == 1
        disk.full = True
        recorder.note(record(2))
        await disk.refused.wait()
        disk.refused.clear()
        await disk.refused.wait()  # the second attempt begins after the first one was said
        assert recorder.problem == "events cannot be kept: database or disk is full"
        recorder.note(record(3))
        disk.full = False
        assert [await written.get(), await written.get()] == [2, 3]
    assert recorder.problem is None
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await recorder.close()


async def test_what_waits_in_memory_is_bounded() -> None:
    recorder = Recorder(Journal(None, (), 10), 3, lambda records: None)
    for number in range(1, 6):
        recorder.note(record(number))
    assert recorder.lost == 2
    await recorder.close()


async def test_closing_keeps_what_was_noted() -> None:
    kept: list[int] = []
    recorder = Recorder(
        Journal(None, (), 10), 10, lambda records: kept.extend(each.number for each in records)
    )
    recorder.note(record(1))
    await recorder.close()
    await recorder.close()
    assert kept == [1]
