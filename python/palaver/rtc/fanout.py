"""One source of media, any number of outlets.

A `FanOut` reads a track for as long as it lives, whether or not anybody listens (what nobody reads, aiortc
hoards) and hands each frame to the outlets plugged in at that moment. An `Outlet` is the track that a sender
reads. Pausing is unplugging: an outlet that is not plugged in has no frames, so nothing old can burst out of
it later.
"""

from __future__ import annotations

import asyncio
from collections import deque

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from palaver.rtc.timeline import Media, Stamper, Timeline

_BACKLOG = {"video": 2, "audio": 10}
"""Frames an outlet keeps for a sender that is still encoding: 200 ms of sound. Then the oldest is dropped."""


class Outlet(MediaStreamTrack):
    """A track that never ends by itself: an aiortc sender whose track has ended can never send again."""

    def __init__(self, kind: str, backlog: int | None = None) -> None:
        super().__init__()
        self.kind = kind
        self._frames: deque[Media] = deque(maxlen=backlog or _BACKLOG[kind])
        self._ready = asyncio.Event()
        self._last = -1

    def push(self, frame: Media) -> bool:
        """Queues a frame. Returns False for one that is not later than the last: another source's, just
        before a switch.
        """
        pts = frame.pts
        if pts is None or pts <= self._last or self.readyState != "live":
            return False
        self._last = pts
        self._frames.append(frame)
        self._ready.set()
        return True

    def clear(self) -> None:
        """Drops what is queued."""
        self._frames.clear()
        self._ready.clear()

    async def recv(self) -> Media:
        while self.readyState == "live":
            if self._frames:
                return self._frames.popleft()
            self._ready.clear()
            await self._ready.wait()
        raise MediaStreamError

    def stop(self) -> None:
        """Ends the track; a sender does this too, when its connection is gone."""
        super().stop()
        self._ready.set()


class FanOut:
    """Reads `track` from construction until `stop`, which you must call.

    A loop must be running. `done` is set when the track has ended.
    """

    def __init__(self, track: MediaStreamTrack, timeline: Timeline) -> None:
        self.kind = track.kind
        self.frames = 0
        """Frames read."""
        self.forwarded = 0
        """Frames handed to outlets."""
        self.done = asyncio.Event()
        self._track = track
        self._outlets: frozenset[Outlet] = frozenset()
        self._stamper = Stamper(track.kind, timeline)
        self._task = asyncio.create_task(self._run(), name=f"fan-out of {track.kind} {track.id}")

    def plug(self, outlets: frozenset[Outlet]) -> None:
        """From now on the frames go to exactly these outlets."""
        for outlet in self._outlets - outlets:
            outlet.clear()
        self._outlets = outlets

    def stop(self) -> None:
        self.plug(frozenset())
        self._task.cancel()

    async def _run(self) -> None:
        try:
            while True:
                for frame in self._stamper.stamp(await self._track.recv()):
                    self.frames += 1
                    self.forwarded += sum([outlet.push(frame) for outlet in self._outlets])
                await asyncio.sleep(0)  # a track that never waits must not stop the loop
        except MediaStreamError:
            pass
        finally:
            self.done.set()
