"""Which tasks somebody else's coroutine starts and leaves behind.

aiortc connects in tasks of its own, which it neither keeps nor cancels. asyncio lets a program take part in the
making of every task (`loop.set_task_factory`): that is where they can be had without looking inside aiortc.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextvars import ContextVar
from typing import Any

Task = asyncio.Future[Any]
"""What a task factory makes: nearly always an asyncio.Task."""

Made = Coroutine[Any, Any, Any] | Generator[Any, None, Any]
"""What a task factory makes it of."""

_watching: ContextVar[tuple[asyncio.Task[Any] | None, Callable[[Task], None]] | None] = ContextVar(
    "palaver_watched_tasks", default=None
)


@contextlib.contextmanager
def tasks_watched(on_start: Callable[[Task], None]) -> Iterator[None]:
    """Calls back with each task that the current task starts inside, before it runs.

    Tasks that those start in turn are their own affair. A task factory that is in use already goes on making
    the tasks.
    """
    loop = asyncio.get_running_loop()
    factory = loop.get_task_factory()
    if not isinstance(factory, _WatchedFactory):
        loop.set_task_factory(_WatchedFactory(factory))
    token = _watching.set((asyncio.current_task(), on_start))
    try:
        yield
    finally:
        _watching.reset(token)


class _WatchedFactory:
    """Makes tasks as the factory before it did, and tells of those that somebody watches for."""

    def __init__(self, inner: Any) -> None:
        self._make = inner or _plain_task

    def __call__(self, loop: asyncio.AbstractEventLoop, coro: Made, **options: Any) -> Task:
        task: Task = self._make(loop, coro, **options)
        watching = _watching.get()
        if watching is not None and watching[0] is asyncio.current_task(loop):
            watching[1](task)
        return task


def _plain_task(loop: asyncio.AbstractEventLoop, coro: Made, **options: Any) -> asyncio.Task[Any]:
    return asyncio.Task(coro, loop=loop, **options)
