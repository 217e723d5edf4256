"""Messages to be fetched instead of delivered, for programs that use the gateway without a handler."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

INBOX_MESSAGES = 64
"""Messages kept for a connection before its socket is not read any more; what was read already comes on top."""
BACKLOG_CONNECTIONS = 1024
"""Connections kept for `accept`; beyond, a new one is closed with 1013 (try again later)."""

T = TypeVar("T")


class Queue(Generic[T]):
    """Items for one waiting task. Once ended, it yields what is left and then None."""

    def __init__(self) -> None:
        self._items: deque[T] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T) -> None:
        self._items.append(item)
        self._wake()

    def end(self) -> None:
        self._ended = True
        self._wake()

    async def take(self) -> T | None:
        while not self._items:
            if self._ended:
                return None
            if self._waiter is not None and not self._waiter.done():
                raise RuntimeError("another task waits here already")
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._items.popleft()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Inbox(Queue[bytes]):
    """A connection's messages. Calls `pause` when it is full, and `resume` when half of it is free."""

    def __init__(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        super().__init__()
        self._pause = pause
        self._resume = resume

    def put(self, item: bytes) -> None:
        super().put(item)
        if len(self) >= INBOX_MESSAGES:
            self._pause()

    async def take(self) -> bytes | None:
        item = await super().take()
        if len(self) <= INBOX_MESSAGES // 2:
            self._resume()
        return item
