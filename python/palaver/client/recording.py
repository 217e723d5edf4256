"""Writes what comes from one participant to a media file.

Pictures keep their times; sound is made continuous (silence where nothing came), so that both stay together.
Encoding runs in a thread of its own. You must `await close()`, or the file has no end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
from av import AudioFrame, VideoFrame

from palaver.errors import PalaverError
from palaver.rtc.timeline import AUDIO_RATE, Media

Kind = Literal["audio", "video"]

FORMATS: dict[str, dict[str, tuple[str, dict[str, str]]]] = {
    ".mp4": {"video": ("libx264", {"preset": "veryfast", "tune": "zerolatency"}), "audio": ("aac", {})},
    ".mkv": {"video": ("libx264", {"preset": "veryfast", "tune": "zerolatency"}), "audio": ("libopus", {})},
    ".webm": {"video": ("libvpx", {"deadline": "realtime", "cpu-used": "8"}), "audio": ("libopus", {})},
    ".wav": {"audio": ("pcm_s16le", {})},
}
"""File suffix → kind → encoder and its options."""
MILLISECONDS = Fraction(1, 1000)
GAP_SAMPLES = AUDIO_RATE // 10
"""A hole in the sound of less than a tenth of a second is jitter."""
GATHER_SECONDS = 1.0
"""How long a new recording waits for the participant's other tracks."""


class RecordingError(PalaverError):
    """The file cannot be written."""


def check(path: Path) -> None:
    """Raises: RecordingError, if this cannot become a recording."""
    if path.suffix.lower() not in FORMATS:
        raise RecordingError(f"{path}: the suffix must be one of {', '.join(FORMATS)}")
    if not path.parent.is_dir():
        raise RecordingError(f"{path}: there is no directory {path.parent}")


class Recording:
    """One file. The kinds are fixed at the start, for a container lists its streams first."""

    def __init__(self, path: Path, kinds: Sequence[Kind]) -> None:
        check(path)
        self.path = path
        self.frames = 0
        """Frames taken so far."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"recording {path.name}")
        self._start: float | None = None
        self._pictures: Any = None
        self._sound: Any = None
        self._last_ms = -1
        self._samples = 0
        try:
            self._container = av.open(str(path), "w")
        except (OSError, ValueError) as error:
            raise RecordingError(f"{path}: {error}") from error
        codecs = FORMATS[path.suffix.lower()]
        for kind in kinds:
            if kind in codecs:
                self._add(kind, *codecs[kind])

    async def write(self, frame: Media) -> None:
        """Takes a frame of the client's timeline; returns when it is encoded. A kind without a stream is left
        out.
        """
        self.frames += 1
        await asyncio.get_running_loop().run_in_executor(self._thread, self._write, frame)

    async def close(self) -> None:
        """Finishes the file."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._finish)
        self._thread.shutdown(wait=False)

    # in the thread, but for the first

    def _add(self, kind: Kind, codec: str, options: dict[str, str]) -> None:
        if kind == "video":
            self._pictures = self._container.add_stream(codec, rate=30, options=options)
            self._pictures.pix_fmt = "yuv420p"
            self._pictures.codec_context.time_base = MILLISECONDS
            # Streams are open from the first frame on; until then the size is not known.
            self._pictures.width = self._pictures.height = 0
        else:
            self._sound = self._container.add_stream(codec, rate=AUDIO_RATE, options=options)
            self._sound.layout = "stereo"

    def _write(self, frame: Media) -> None:
        seconds = float((frame.pts or 0) * (frame.time_base or 0))
        self._start = seconds if self._start is None else self._start
        if isinstance(frame, VideoFrame) and self._pictures is not None:
            self._picture(frame, seconds - self._start)
        elif isinstance(frame, AudioFrame) and self._sound is not None:
            self._hear(frame, seconds - self._start)

    def _picture(self, frame: VideoFrame, seconds: float) -> None:
        stream = self._pictures
        if not stream.width:
            # Encoders of 4:2:0 want even sizes.
            stream.width, stream.height = frame.width & ~1, frame.height & ~1
        picture = frame.reformat(width=stream.width, height=stream.height, format="yuv420p")
        self._last_ms = max(round(seconds * 1000), self._last_ms + 1)
        picture.pts, picture.time_base = self._last_ms, MILLISECONDS
        self._container.mux(stream.encode(picture))

    def _hear(self, frame: AudioFrame, seconds: float) -> None:
        hole = round(seconds * AUDIO_RATE) - self._samples
        if hole > GAP_SAMPLES:
            while hole > 0:
                silence = AudioFrame("s16", "stereo", min(hole, AUDIO_RATE))
                silence.sample_rate = AUDIO_RATE
                silence.planes[0].update(bytes(silence.planes[0].buffer_size))
                hole -= silence.samples
                self._append(silence)
        self._append(frame)

    def _append(self, frame: AudioFrame) -> None:
        frame.pts, frame.time_base = self._samples, Fraction(1, AUDIO_RATE)
        self._samples += frame.samples
        self._container.mux(self._sound.encode(frame))

    def _finish(self) -> None:
        if self._pictures is not None and self._last_ms >= 0:
            self._container.mux(self._pictures.encode(None))
        if self._sound is not None and self._samples:
            self._container.mux(self._sound.encode(None))
        self._container.close()


class Recorder:
    """Recordings of a room: one file per participant, with what it sends by then. You must `await close()`."""

    def __init__(self, path: Path, opened: Callable[[Path], None]) -> None:
        check(path)
        self._path = path
        self._opened = opened
        self._files: dict[str, asyncio.Future[Recording]] = {}
        self._kinds: dict[str, list[Kind]] = {}
        self._count = 0

    async def join(self, peer: str, kind: Kind) -> Recording:
        """Returns the participant's recording; waits a moment first, for its sound may follow its picture."""
        if peer not in self._files:
            self._files[peer] = asyncio.get_running_loop().create_future()
            self._kinds[peer] = [kind]
            await asyncio.sleep(GATHER_SECONDS)
            self._files[peer].set_result(self._open(self._kinds[peer]))
        elif kind not in self._kinds[peer]:
            self._kinds[peer].append(kind)
        return await self._files[peer]

    def _open(self, kinds: list[Kind]) -> Recording:
        self._count += 1
        path = self._path
        if self._count > 1:
            path = path.with_stem(f"{path.stem}-{self._count}")
        recording = Recording(path, kinds)
        self._opened(path)
        return recording

    async def close(self) -> None:
        for file in self._files.values():
            if file.done() and not file.cancelled():
                await file.result().close()
        self._files.clear()
