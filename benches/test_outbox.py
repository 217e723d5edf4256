"""What it costs to queue messages for clients and to take them for writing (pytest-benchmark)."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from palaver.gateway.outbox import Outbox
from palaver.protocol.frames import TEXT, data_frame


@pytest.mark.parametrize("size", [200, 2048])
def test_queue_and_take_one(benchmark: BenchmarkFixture, size: int) -> None:
    outbox = Outbox()
    message = bytes(size)

    def through() -> bytes:
        outbox.push_frame(data_frame(TEXT, message))
        return outbox.take()

    assert len(benchmark(through)) == size + 4


def test_queue_ten_candidates_and_take_them_together(benchmark: BenchmarkFixture) -> None:
    outbox = Outbox()
    messages = [bytes(200 + number) for number in range(10)]

    def through() -> bytes:
        for message in messages:
            outbox.push_frame(data_frame(TEXT, message))
        return outbox.take()

    assert len(benchmark(through)) == sum(map(len, messages)) + 10 * 4


def test_queue_one_event_for_a_thousand(benchmark: BenchmarkFixture) -> None:
    """2 KB, framed once, shared by all."""
    outboxes = [Outbox() for _ in range(1000)]
    message = bytes(2048)

    def through() -> None:
        frame = data_frame(TEXT, message)
        for outbox in outboxes:
            outbox.push_frame(frame)
        for outbox in outboxes:
            outbox.take()

    benchmark(through)
    assert not any(outbox.size for outbox in outboxes)
