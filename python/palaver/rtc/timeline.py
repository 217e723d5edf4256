"""One clock for all media of a node or client.

A media section that carries first one source and then another must have timestamps that keep rising (RFC 3550
§ 5.1), and so must a source that was paused. When every frame is put on one common timeline where it enters,
both hold without anybody downstream having to know.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, TypeAlias

from av import AudioFrame, AudioResampler, Packet, VideoFrame
from av.frame import Frame

Media: TypeAlias = "Frame | Packet[Any]"  # what MediaStreamTrack.recv returns

VIDEO_RATE = 90_000
AUDIO_RATE = 48_000
MAX_DRIFT_SECONDS = 1.0
"""How far a source's own clock may be from ours before it is set anew: skew adds up, and a source that stood
still is late.
"""


class Timeline:
    """Counts seconds from its making."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._start = clock()

    def now(self) -> float:
        return self._clock() - self._start


class Stamper:
    """Puts the frames of one source on a timeline; their distances stay those of the source.

    Audio comes out as 48 kHz stereo s16: what the Opus encoder asserts, and an encoder that has seen one
    format fails for good on another.
    """

    def __init__(self, kind: str, timeline: Timeline) -> None:
        self._rate = AUDIO_RATE if kind == "audio" else VIDEO_RATE
        self._base = Fraction(1, self._rate)
        self._timeline = timeline
        self._offset: float | None = None
        self._last = -1
        self._resampler: AudioResampler | None = None

    def stamp(self, media: Media) -> Iterator[Media]:
        """Yields what becomes of a frame: mostly the frame itself, with a new pts and time base."""
        for frame in self._even(media) if isinstance(media, AudioFrame) else (media,):
            pts, base = frame.pts, frame.time_base
            now = self._timeline.now()
            source = now if pts is None or not base else float(pts * base)
            if self._offset is None or abs(source + self._offset - now) > MAX_DRIFT_SECONDS:
                self._offset = max(now, (self._last + 1) / self._rate) - source
            frame.pts = self._last = max(round((source + self._offset) * self._rate), self._last + 1)
            frame.time_base = self._base
            yield frame

    def _even(self, frame: AudioFrame) -> list[AudioFrame]:
        if frame.format.name == "s16" and frame.layout.name == "stereo" and frame.sample_rate == AUDIO_RATE:
            return [frame]
        if self._resampler is None:
            self._resampler = AudioResampler(format="s16", layout="stereo", rate=AUDIO_RATE)
        return list(self._resampler.resample(frame))


__all__ = ["AudioFrame", "Media", "Stamper", "Timeline", "VideoFrame"]
