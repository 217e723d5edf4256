"""A track that the client sends to the room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiortc import MediaStreamTrack

from palaver.client.errors import MediaEnded
from palaver.rtc import FanOut, Outlet

if TYPE_CHECKING:
    from palaver.client.media import Media


class Publication:
    """Made by `Client.publish`. It outlives a lost session: the client publishes it again, under the same id."""

    def __init__(
        self, media: Media, id: str, track: MediaStreamTrack, source: str, label: str | None, paused: bool
    ) -> None:
        self.id = id
        """The producer's id in the room."""
        self.track = track
        self.source = source
        self.label = label
        self.paused = paused
        """By you; a moderator may have paused it too."""
        self.closed = False
        self._media = media
        self._outlet: Outlet | None = None
        self._fanout: FanOut | None = None

    @property
    def kind(self) -> str:
        return str(self.track.kind)

    @property
    def frames(self) -> int:
        """Frames read from the track so far."""
        return self._fanout.frames if self._fanout is not None else 0

    async def pause(self) -> None:
        """Stops the frames at once, then tells the room. The track goes on being read, unheard."""
        self._check()
        self.paused = True
        self._unplug()
        await self._media.client.call("pauseProducer", id=self.id)

    async def resume(self) -> None:
        self._check()
        self.paused = False
        await self._media.client.call("resumeProducer", id=self.id)
        if not self.paused:
            self._plug()

    async def close(self) -> None:
        """Ends the publication; the track stays yours. Closing again does nothing."""
        if not self.closed:
            self.drop()
            await self._media.unpublish(self)

    # for Media

    def attach(self, outlet: Outlet) -> None:
        """Sends through this outlet from now on."""
        self.detach()
        self._outlet = outlet
        if not self.paused:
            self._plug()

    def detach(self) -> None:
        self._unplug()
        self._outlet = None

    def drop(self) -> None:
        """Ends it here, without a word to the node."""
        self.closed = True
        if self._outlet is not None:
            self._media.sources.forget(self.track, self._outlet)
        self._outlet = None

    def _plug(self) -> None:
        if self._outlet is not None:
            self._fanout = self._media.sources.plug(self.track, self._outlet)

    def _unplug(self) -> None:
        if self._outlet is not None:
            self._media.sources.unplug(self.track, self._outlet)

    def _check(self) -> None:
        if self.closed:
            raise MediaEnded(f"producer {self.id} is closed")
