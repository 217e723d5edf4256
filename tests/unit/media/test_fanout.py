from __future__ import annotations

import asyncio
from fractions import Fraction

import pytest
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, VideoFrame
from hypothesis import given
from hypothesis import strategies as st

from palaver.rtc import FanOut, Outlet, Timeline
from palaver.rtc.timeline import Stamper


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


def picture(pts: int | None = 0) -> VideoFrame:
    frame = VideoFrame(16, 16, "yuv420p")
    frame.pts, frame.time_base = pts, Fraction(1, 90_000)
    return frame


def stamped(stamper: Stamper, frame: VideoFrame | AudioFrame) -> int:
    (out,) = stamper.stamp(frame)
    return out.pts


def test_a_source_keeps_its_own_distances_from_the_moment_it_began() -> None:
    clock = Clock()
    stamper = Stamper("video", Timeline(clock))
    clock.time = 5
    assert stamped(stamper, picture(1_000_000)) == 5 * 90_000
    clock.time = 5.5
    assert stamped(stamper, picture(1_003_000)) == 5 * 90_000 + 3000


def test_a_source_whose_clock_stood_still_is_set_to_the_present() -> None:
    clock = Clock()
    stamper = Stamper("video", Timeline(clock))
    stamped(stamper, picture(0))
    clock.time = 60
    assert stamped(stamper, picture(3000)) == 60 * 90_000


@given(
    st.lists(st.tuples(st.one_of(st.none(), st.integers(-(2**40), 2**40)), st.floats(0, 100)), max_size=50)
)
def test_times_rise_whatever_the_source_says(steps: list[tuple[int | None, float]]) -> None:
    clock = Clock()
    stamper = Stamper("video", Timeline(clock))
    last = -1
    for pts, wait in steps:
        clock.time += wait
        now = stamped(stamper, picture(pts))
        assert now > last
        last = now


def test_audio_of_any_format_becomes_what_the_encoder_takes() -> None:
    stamper = Stamper("audio", Timeline(Clock()))
    frame = AudioFrame("fltp", "mono", 160)
    frame.sample_rate, frame.pts, frame.time_base = 8000, 0, Fraction(1, 8000)
    for out in stamper.stamp(frame):
        assert (out.format.name, out.layout.name, out.sample_rate) == ("s16", "stereo", 48_000)


class Script(MediaStreamTrack):
    """Gives these frames, then ends. Never waits, as a bad track might."""

    kind = "video"

    def __init__(self, count: int) -> None:
        super().__init__()
        self.left = count

    async def recv(self) -> VideoFrame:
        if not self.left:
            raise MediaStreamError
        self.left -= 1
        return picture(None)


async def test_every_outlet_gets_every_frame_until_it_is_unplugged() -> None:
    source = FanOut(Script(3), Timeline())
    a, b = Outlet("video"), Outlet("video")
    source.plug(frozenset([a, b]))
    first = await a.recv()
    assert await b.recv() is first
    source.plug(frozenset([b]))
    await source.done.wait()
    assert (source.frames, source.forwarded) == (3, 4)
    await b.recv()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(a.recv(), 0.01)


async def test_an_outlet_nobody_reads_keeps_only_the_latest_frames() -> None:
    outlet = Outlet("video")
    frames = [picture(i) for i in range(10)]
    assert all(outlet.push(frame) for frame in frames)
    assert [await outlet.recv(), await outlet.recv()] == frames[-2:]


async def test_unplugging_drops_what_waits() -> None:
    source = FanOut(Script(1), Timeline())
    outlet = Outlet("video")
    source.plug(frozenset([outlet]))
    await source.done.wait()
    source.plug(frozenset())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(outlet.recv(), 0.01)


async def test_a_frame_that_is_not_later_is_not_taken() -> None:
    outlet = Outlet("video")
    assert outlet.push(picture(5))
    assert not outlet.push(picture(5))
    assert not outlet.push(picture(4))


async def test_a_stopped_outlet_wakes_its_reader() -> None:
    outlet = Outlet("video")
    reader = asyncio.ensure_future(outlet.recv())
    await asyncio.sleep(0)
    outlet.stop()
    with pytest.raises(MediaStreamError):
        await reader
