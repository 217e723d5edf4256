"""Deliverer: sends events to one receiver, a bounded number at a time, until each has arrived or was given up."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from palaver.webhooks.schedule import Schedule

if TYPE_CHECKING:
    import aiohttp

log = logging.getLogger(__name__)

CONCURRENCY: Final = 16
"""Requests under way to one receiver: more than a small one wants, enough for 1,000 events a second at 16 ms."""
CONTENT_TYPE: Final = "application/webhook+json"


class Deliverer:
    """`add` events, of which the newest `keep` are still sent; `run` in a task.

    Arrived is what was answered 2xx; redirects are not followed.
    """

    def __init__(
        self,
        url: str,
        schedule: Schedule,
        keep: int,
        timeout_seconds: float,
        body: Callable[[int], Awaitable[bytes | None]],
        sign: Callable[[bytes], str],
        settle: Callable[[tuple[str, int]], None],
    ) -> None:
        self.url = url
        self.schedule = schedule
        self.sent = 0
        self.failed = 0
        self.given_up = 0
        self._keep = keep
        self._timeout = timeout_seconds
        self._body = body
        self._sign = sign
        self._settle = settle
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def place(self) -> str:
        """The receiver as logs name it: a URL may carry a secret."""
        return urlsplit(self.url).hostname or ""

    def add(self, number: int, life: str, created: float) -> None:
        self.schedule.add(number, life, created)
        if len(self.schedule) > self._keep + self._keep // 8:  # not at each: it looks at every room
            self.given_up += self.schedule.forget(number - self._keep)
        self._wake.set()

    async def run(self) -> None:
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=self._timeout)
        connector = aiohttp.TCPConnector(limit=CONCURRENCY)
        jar = aiohttp.DummyCookieJar()
        async with aiohttp.ClientSession(timeout=timeout, connector=connector, cookie_jar=jar) as session:
            try:
                while True:
                    self._wake.clear()
                    self._begin(session)
                    await self._until_due()
            finally:
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, session: aiohttp.ClientSession) -> None:
        while len(self._tasks) < CONCURRENCY:
            number = self.schedule.take(time.monotonic())
            if number is None:
                return
            task = asyncio.create_task(self._deliver(session, number), name="webhook")
            self._tasks.add(task)
            task.add_done_callback(self._done)

    async def _until_due(self) -> None:
        due = self.schedule.next_due() if len(self._tasks) < CONCURRENCY else None
        try:
            async with asyncio.timeout(None if due is None else max(0.0, due - time.monotonic())):
                await self._wake.wait()
        except TimeoutError:
            pass

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._wake.set()
        if not task.cancelled() and task.exception() is not None:
            log.error("a webhook task failed", exc_info=task.exception())

    async def _deliver(self, session: aiohttp.ClientSession, number: int) -> None:
        try:
            body = await self._body(number)
            why = "" if body is None else await self._send(session, body)
        except Exception:
            log.exception("a webhook could not be sent", extra={"to": self.place, "number": number})
            body, why = None, "internal"
        if not why:
            self.sent += body is not None
            self.given_up += body is None  # so many came meanwhile that it is kept no longer
            self.schedule.delivered(number)
            self._settle((self.url, number))
            return
        self.failed += 1
        log.warning("a webhook did not arrive", extra={"to": self.place, "number": number, "reason": why})
        if self.schedule.failed(number, time.monotonic(), time.time()):
            self.given_up += 1
            self._settle((self.url, number))
            log.error("a webhook was given up", extra={"to": self.place, "number": number})

    async def _send(self, session: aiohttp.ClientSession, body: bytes) -> str:
        """Returns why it did not arrive; empty: it did."""
        import aiohttp

        headers = {"Authorization": self._sign(body), "Content-Type": CONTENT_TYPE}
        try:
            async with session.post(self.url, data=body, headers=headers, allow_redirects=False) as answer:
                return "" if 200 <= answer.status < 300 else f"status {answer.status}"
        except TimeoutError:
            return "timeout"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return type(error).__name__
