"""What happens in a room, as the client tells it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

BACKLOG = 10_000
"""Events kept for a reader that is slow or not there; then the oldest go, and the reader is told."""


class Event(Struct, frozen=True):
    """An event of the room by its name on the wire, or one of the client's own (see `LOCAL`).

    `event["peer"]` and `event.get("reason")` read its params.
    """

    name: str
    params: Mapping[str, Any]
    epoch: int | None = None
    seq: int | None = None

    def __getitem__(self, key: str) -> Any:
        return self.params[key]

    def get(self, key: str, default: Any = None) -> Any:
        return self.params.get(key, default)

    def __str__(self) -> str:
        return f"{self.name} {dict(self.params)}"


LOCAL = {
    "reconnecting": "the socket was lost; {attempt, waitSeconds, reason, url}",
    "resumed": "the session goes on; what was missed came before this; {}",
    "rejoined": "the session was lost and the room joined afresh: your producers and consumers are gone; {}",
    "eventsDropped": "the reader was too slow; {count}",
}
"""Events that the client makes itself, none of which is on the wire."""


class EventStream:
    """The queue behind `Client.events()`. Each event is given once, to whichever iterator asks first."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._dropped = 0
        self._ready = asyncio.Event()
        self._end: Exception | None = None
        self._ended = False

    def put(self, event: Event) -> None:
        if len(self._events) >= BACKLOG:
            self._events.popleft()
            self._dropped += 1
        self._events.append(event)
        self._ready.set()

    def end(self, error: Exception | None) -> None:
        """After what is queued iteration stops, with the error if there is one."""
        self._ended, self._end = True, error
        self._ready.set()

    def __aiter__(self) -> EventStream:
        return self

    async def __anext__(self) -> Event:
        while True:
            if self._dropped:
                count, self._dropped = self._dropped, 0
                return Event("eventsDropped", {"count": count})
            if self._events:
                return self._events.popleft()
            if self._ended:
                if self._end is not None:
                    raise self._end
                raise StopAsyncIteration
            self._ready.clear()
            await self._ready.wait()
