"""Webhooks: the observer of rooms, its journal, and one deliverer for each receiver, put together."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from palaver.observe import Metric, counters, gauges
from palaver.rooms.observer import Observation
from palaver.settings import WebhookSettings
from palaver.webhooks.deliverer import Deliverer
from palaver.webhooks.journal import Journal
from palaver.webhooks.narrator import Narrator, Record
from palaver.webhooks.recorder import Recorder
from palaver.webhooks.schedule import Schedule
from palaver.webhooks.signature import sign

FILE: Final = "events.sqlite"
HELP: Final = {
    "pending": "Events that wait to be taken, each URL counted by itself.",
    "sent": "Events that were answered with 2xx.",
    "failed_attempts": "Attempts that were answered with anything else, or not at all.",
    "given_up": "Events older than webhooks.deadline_seconds, which are not tried again.",
    "lost_events": "Events that were neither written nor kept.",
}


class Webhooks:
    """Give `observe` to the session manager; `start` and `close` with the node.

    `secret()` is the secret of the signing key, asked for at each attempt. Without a state directory events are kept
    in memory. Raises StartError where they cannot be kept.
    """

    def __init__(
        self, settings: WebhookSettings, state_dir: str, node: str, secret: Callable[[], str]
    ) -> None:
        journal = Journal(Path(state_dir) / FILE if state_dir else None, settings.urls, settings.queue_events)
        self._settings = settings
        self._secret = secret
        self._recorder = Recorder(journal, settings.queue_events, self._written)
        self._narrator = Narrator(node, journal.last(), time.time, os.urandom)
        self._deliverers = [self._deliverer(url) for url in dict.fromkeys(settings.urls)]
        for deliverer in self._deliverers:
            for number, life, created in journal.pending(deliverer.url):
                deliverer.schedule.add(number, life, created)
        for record in self._narrator.end(journal.unfinished(), "restart"):
            self._recorder.note(record)
        self._tasks: list[asyncio.Task[None]] = []

    def _deliverer(self, url: str) -> Deliverer:
        settings, read = self._settings, self._recorder.read
        return Deliverer(
            url,
            Schedule(settings.deadline_seconds, random.random),
            settings.queue_events,
            settings.timeout_seconds,
            lambda number: read(lambda journal: journal.body(number)),
            lambda body: sign(body, settings.key, self._secret(), time.time()),
            self._recorder.settle,
        )

    def observe(self, seen: Observation) -> None:
        """Takes note; comes back at once."""
        self._recorder.note(self._narrator.tell(seen))

    def why_not_ready(self) -> str | None:
        return self._recorder.problem

    async def start(self) -> None:
        works = [("events", self._recorder.run()), *(("webhooks", each.run()) for each in self._deliverers)]
        self._tasks = [asyncio.create_task(work, name=name) for name, work in works]

    async def close(self) -> None:
        """Tells the end of every room, ends all tasks, and keeps what is not sent yet for the next start. Safe to call twice."""
        for record in self._narrator.end_all("shutdown"):
            self._recorder.note(record)
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._recorder.close()

    async def events(self, after: int, limit: int) -> tuple[list[tuple[int, bytes]], int]:
        """(number, body) of the events after a number, and the number of the oldest that is kept (0: none)."""
        return await self._recorder.read(lambda journal: journal.page(after, limit))

    def metrics(self) -> list[Metric]:
        each = self._deliverers
        return [
            *gauges("webhooks", {"pending": sum(len(one.schedule) for one in each)}, HELP),
            *counters(
                "webhooks",
                {
                    "sent": sum(one.sent for one in each),
                    "failed_attempts": sum(one.failed for one in each),
                    "given_up": sum(one.given_up for one in each),
                    "lost_events": self._recorder.lost,
                },
                HELP,
            ),
        ]

    def _written(self, records: list[Record]) -> None:
        for deliverer in self._deliverers:
            for record in records:
                deliverer.add(record.number, record.life.sid, record.created)
