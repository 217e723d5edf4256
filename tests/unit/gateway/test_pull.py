from __future__ import annotations

import asyncio

import pytest

from palaver.gateway.pull import INBOX_MESSAGES, Inbox, Queue


async def test_items_come_in_order_and_the_end_after_them() -> None:
    queue: Queue[int] = Queue()
    queue.put(1)
    queue.put(2)
    queue.end()
    assert [await queue.take() for _ in range(4)] == [1, 2, None, None]


async def test_a_waiting_task_gets_the_next_item() -> None:
    queue: Queue[int] = Queue()
    taker = asyncio.ensure_future(queue.take())
    await asyncio.sleep(0)
    queue.put(7)
    assert await taker == 7


async def test_only_one_task_may_wait() -> None:
    queue: Queue[int] = Queue()
    first = asyncio.ensure_future(queue.take())
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="another task"):
        await queue.take()
    queue.end()
    assert await first is None


async def test_a_cancelled_wait_loses_nothing() -> None:
    queue: Queue[int] = Queue()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await queue.take()
    queue.put(1)
    assert await queue.take() == 1


async def test_a_full_inbox_pauses_and_a_half_empty_one_resumes() -> None:
    calls: list[str] = []
    inbox = Inbox(lambda: calls.append("pause"), lambda: calls.append("resume"))
    for _ in range(INBOX_MESSAGES):
        inbox.put(b"x")
    assert calls == ["pause"]
    while len(inbox) > INBOX_MESSAGES // 2 + 1:
        await inbox.take()
    assert calls == ["pause"]
    await inbox.take()
    assert calls == ["pause", "resume"]
