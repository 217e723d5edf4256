"""Tasks that somebody else's coroutine leaves behind are told to who watches, and to nobody else."""

from __future__ import annotations

import asyncio
from typing import Any

from palaver.rtc.task_watch import Task, tasks_watched


async def _nothing() -> None:
    await asyncio.sleep(0)


async def _leaves_one_behind() -> None:
    await asyncio.sleep(0)
    asyncio.ensure_future(_has_a_child())  # noqa: RUF006 (to leave it behind is the point)


async def _has_a_child() -> None:
    await asyncio.create_task(_nothing(), name="grandchild")


async def test_a_task_left_behind_is_told_before_it_runs_and_its_own_tasks_are_not() -> None:
    seen: list[Task] = []
    with tasks_watched(seen.append):
        await _leaves_one_behind()
    assert len(seen) == 1
    assert not seen[0].done()
    await seen[0]
    assert len(seen) == 1


async def test_tasks_of_others_made_meanwhile_are_not_told() -> None:
    seen: list[Task] = []

    async def other() -> None:
        await asyncio.create_task(_nothing())

    outside = asyncio.create_task(other())
    with tasks_watched(seen.append):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    await outside
    await asyncio.create_task(_nothing())
    assert seen == []


async def test_a_factory_in_use_goes_on_making_the_tasks_and_is_wrapped_once() -> None:
    loop = asyncio.get_running_loop()
    made: list[asyncio.Task[Any]] = []

    def factory(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
        made.append(asyncio.Task(coro, loop=loop, **options))
        return made[-1]

    loop.set_task_factory(factory)
    seen: list[Task] = []
    with tasks_watched(seen.append):
        wrapped = loop.get_task_factory()
        with tasks_watched(seen.append):
            assert loop.get_task_factory() is wrapped
            task = asyncio.create_task(_nothing())
    assert seen == made == [task]
    await task
