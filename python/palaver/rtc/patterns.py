"""A test picture and a tone: media that needs neither camera nor file, and that a test can recognise.

Both are made from bytes alone (PyAV without numpy) and keep real time.
"""

from __future__ import annotations

import array
import asyncio
import math
import time
from fractions import Fraction

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, VideoFrame

_BARS = (
    (235, 128, 128),  # white
    (210, 16, 146),  # yellow
    (170, 166, 16),  # cyan
    (145, 54, 34),  # green
    (106, 202, 222),  # magenta
    (81, 90, 240),  # red
    (41, 240, 110),  # blue
    (16, 128, 128),  # black
)
"""ITU-R BT.471 bars as Y, Cb, Cr (BT.601)."""
_FONT = {
    "0": "111101101101111",
    "1": "010110010010111",
    "2": "111001111100111",
    "3": "111001111001111",
    "4": "101101111001001",
    "5": "111100111001111",
    "6": "111100111101111",
    "7": "111001010010010",
    "8": "111101111101111",
    "9": "111101111001111",
}
"""Three columns, five rows."""
_BITS = 16


class _Paced(MediaStreamTrack):
    """Waits until the time of each frame; one that is late is sent at once."""

    def __init__(self, rate: int, step: int) -> None:
        super().__init__()
        self._base = Fraction(1, rate)
        self._rate, self._step = rate, step
        self._next = 0
        self._start = 0.0

    async def _tick(self) -> int:
        """Returns the time stamp of the frame that is due."""
        if self.readyState != "live":
            raise MediaStreamError
        due, self._next = self._next, self._next + self._step
        if due == 0:
            self._start = time.monotonic()
        await asyncio.sleep(max(0.0, self._start + due / self._rate - time.monotonic()))
        return due


class TestPicture(_Paced):
    """Colour bars, a box that moves, and the number of the frame: in digits for people, in black and white
    cells along the upper edge for programs (see `read_number`).
    """

    __test__ = False  # pytest: not a test class
    kind = "video"

    def __init__(self, width: int = 320, height: int = 240, fps: int = 15) -> None:
        super().__init__(90_000, 90_000 // fps)
        self.frames = 0
        self._size = (width, height)
        self._background: list[bytes] = []

    async def recv(self) -> VideoFrame:
        pts = await self._tick()
        frame = VideoFrame(*self._size, "yuv420p")
        if not self._background:
            self._background = [_bars(frame, plane) for plane in range(3)]
        luma = bytearray(self._background[0])
        self._draw(luma, frame.planes[0].line_size)
        for plane, data in zip(frame.planes, [bytes(luma), *self._background[1:]], strict=True):
            plane.update(data)
        frame.pts, frame.time_base = pts, self._base
        self.frames += 1
        return frame

    def _draw(self, luma: bytearray, stride: int) -> None:
        width, height = self._size
        cell = width // _BITS
        for bit in range(_BITS):
            _fill(luma, stride, bit * cell, 0, cell, cell, 235 if self.frames >> bit & 1 else 16)
        side, travel = height // 6, width - height // 6
        position = self.frames * 4 % (2 * travel)
        _fill(luma, stride, min(position, 2 * travel - position), height * 2 // 3, side, side, 16)
        dot = max(1, width // 80)
        for place, digit in enumerate(f"{self.frames % 100_000:05}"):
            for i, on in enumerate(_FONT[digit]):
                x, y = (place * 4 + i % 3 + 2) * dot, height // 3 + i // 3 * dot
                _fill(luma, stride, x, y, dot, dot, 235 if on == "1" else 16)


def read_number(frame: VideoFrame) -> int:
    """Returns the number (modulo 65536) of a frame of `TestPicture`, also after a codec has been at it."""
    plane = frame.planes[0]
    luma = memoryview(plane)
    cell = frame.width // _BITS
    return sum(
        (luma[cell // 2 * plane.line_size + bit * cell + cell // 2] > 125) << bit for bit in range(_BITS)
    )


class TestTone(_Paced):
    """A quiet sine, 48 kHz stereo in frames of 20 ms."""

    __test__ = False  # pytest: not a test class
    kind = "audio"

    def __init__(self, hertz: int = 440, volume: float = 0.1) -> None:
        super().__init__(48_000, 960)
        # A second of a whole number of hertz ends where it begins.
        samples = array.array("h")
        for i in range(48_000):
            samples.extend([int(32767 * volume * math.sin(2 * math.pi * hertz * i / 48_000))] * 2)
        self._second = samples.tobytes()

    async def recv(self) -> AudioFrame:
        pts = await self._tick()
        frame = AudioFrame("s16", "stereo", 960)
        start = pts % 48_000 * 4
        frame.planes[0].update(self._second[start : start + 960 * 4])
        frame.pts, frame.time_base, frame.sample_rate = pts, self._base, 48_000
        return frame


def _bars(frame: VideoFrame, plane: int) -> bytes:
    """One plane (0 is Y) of the still picture behind, padded to the plane's lines."""
    shape = frame.planes[plane]
    row = bytes(_BARS[x * len(_BARS) // shape.width][plane] for x in range(shape.width))
    return row.ljust(shape.line_size, b"\0") * shape.height


def _fill(luma: bytearray, stride: int, x: int, y: int, width: int, height: int, value: int) -> None:
    row = bytes([value]) * width
    for line in range(y, y + height):
        luma[line * stride + x : line * stride + x + width] = row
