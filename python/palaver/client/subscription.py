"""A producer of the room that the client receives."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiortc import MediaStreamTrack

from palaver.client.errors import MediaEnded
from palaver.client.room import Producer
from palaver.rtc import FanOut, Outlet

if TYPE_CHECKING:
    from palaver.client.media import Media

BACKLOG = {"audio": 100, "video": 30}
"""Frames kept for a reader that is late, two seconds at most; then the oldest are dropped."""


class Subscription:
    """Made by `Client.subscribe`. Read `track`; it ends (MediaStreamError) when the subscription does."""

    def __init__(self, media: Media, id: str, producer: Producer, paused: bool) -> None:
        self.id = id
        """The consumer's id."""
        self.producer = producer
        self.paused = paused
        """By you; the producer may be paused too (`producer.paused`)."""
        self.ended = asyncio.Event()
        self._media = media
        self._outlet = Outlet(producer.kind, BACKLOG[producer.kind])
        self._section: FanOut | None = None

    @property
    def track(self) -> MediaStreamTrack:
        return self._outlet

    @property
    def closed(self) -> bool:
        return self.ended.is_set()

    async def pause(self) -> None:
        """Asks the node for no more frames."""
        self._check()
        self.paused = True
        await self._media.client.call("pauseConsumer", id=self.id)

    async def resume(self) -> None:
        self._check()
        self.paused = False
        await self._media.client.call("resumeConsumer", id=self.id)

    async def close(self) -> None:
        """Ends the subscription and its track. Closing again does nothing."""
        if not self.closed:
            self.end()
            await self._media.unsubscribe(self)

    # for Media

    def attach(self, section: FanOut) -> None:
        """Takes its frames from this media section from now on."""
        self.detach()
        self._section = section
        section.plug(frozenset([self._outlet]))

    def detach(self) -> None:
        if self._section is not None:
            self._section.plug(frozenset())
            self._section = None

    def end(self) -> None:
        self.detach()
        self._outlet.stop()
        self.ended.set()

    def _check(self) -> None:
        if self.closed:
            raise MediaEnded(f"producer {self.producer.id} is closed")
