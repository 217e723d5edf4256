"""What it costs to queue messages for clients and to take them for writing (pytest-benchmark)."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from palaver.core import Outbox, Outboxes
from palaver.gateway.table import WRITE_BYTES
from palaver.protocol.frames import TEXT, data_frame


def outboxes(count: int) -> list[Outbox]:
    shared: Outboxes[Outbox] = Outboxes(lambda: None, WRITE_BYTES, WRITE_BYTES)
    return [Outbox(shared) for _ in range(count)]


@pytest.mark.parametrize("size", [200, 2048])
def test_queue_and_take_one(benchmark: BenchmarkFixture, size: int) -> None:
    [outbox] = outboxes(1)
    message = bytes(size)

    def through() -> bytes:
        outbox.send_frame(data_frame(TEXT, message))
        return outbox.take_frames()

    assert len(benchmark(through)) == size + 4


def test_queue_ten_candidates_and_take_them_together(benchmark: BenchmarkFixture) -> None:
    [outbox] = outboxes(1)
    messages = [bytes(200 + number) for number in range(10)]

    def through() -> bytes:
        for message in messages:
            outbox.send_frame(data_frame(TEXT, message))
        return outbox.take_frames()

    assert len(benchmark(through)) == sum(map(len, messages)) + 10 * 4


def test_queue_one_event_for_a_thousand(benchmark: BenchmarkFixture) -> None:
    """2 KB, framed once, shared by all."""
    audience = outboxes(1000)
    message = bytes(2048)

    def through() -> None:
        frame = data_frame(TEXT, message)
        for outbox in audience:
            outbox.send_frame(frame)
        for outbox in audience:
            outbox.take_frames()

    benchmark(through)
    assert not any(outbox.waiting_bytes for outbox in audience)
