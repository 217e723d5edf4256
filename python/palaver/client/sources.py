"""The client's own tracks: each is read once, however many connections send it."""

from __future__ import annotations

from aiortc import MediaStreamTrack

from palaver.rtc import FanOut, Outlet, Timeline


class Sources:
    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._ended = {"audio": 0, "video": 0}
        self._fanouts: dict[MediaStreamTrack, tuple[FanOut, set[Outlet]]] = {}

    @property
    def frames(self) -> dict[str, int]:
        """Frames read so far, by kind."""
        now = dict(self._ended)
        for fanout, _ in self._fanouts.values():
            now[fanout.kind] += fanout.frames
        return now

    def plug(self, track: MediaStreamTrack, outlet: Outlet) -> FanOut:
        """From now on the outlet has the track's frames. Reading begins with the first outlet."""
        if track not in self._fanouts:
            self._fanouts[track] = FanOut(track, self._timeline), set()
        fanout, outlets = self._fanouts[track]
        outlets.add(outlet)
        fanout.plug(frozenset(outlets))
        return fanout

    def unplug(self, track: MediaStreamTrack, outlet: Outlet) -> None:
        """The outlet falls silent, and reading goes on: a camera that is paused runs."""
        if track in self._fanouts:
            fanout, outlets = self._fanouts[track]
            outlets.discard(outlet)
            fanout.plug(frozenset(outlets))

    def forget(self, track: MediaStreamTrack, outlet: Outlet) -> None:
        """Unplugs, and stops reading if nobody else is plugged in. The track itself stays with its owner."""
        self.unplug(track, outlet)
        if track in self._fanouts and not self._fanouts[track][1]:
            fanout, _ = self._fanouts.pop(track)
            fanout.stop()
            self._ended[fanout.kind] += fanout.frames

    def close(self) -> None:
        for fanout, _ in self._fanouts.values():
            fanout.stop()
        self._fanouts.clear()
