from __future__ import annotations

import pytest

from palaver.gateway.frame_scanner import FrameScanner
from unit.gateway.raw_websocket import BINARY, PING, TEXT, frame


def boundaries(stream: bytes, max_bytes: int = 1000) -> list[int]:
    scanner, ends, start, data = FrameScanner(), [], 0, memoryview(stream)
    while start < len(stream):
        stretch = scanner.next(data, start, max_bytes)
        assert not stretch.oversized
        assert stretch.end > start
        start = stretch.end
        ends.append(start)
    return ends


@pytest.mark.parametrize("masked", [True, False])
def test_each_stretch_is_one_frame(masked: bool) -> None:
    frames = [frame(TEXT, b"a" * size, masked=masked) for size in (0, 1, 125, 126, 700)] + [frame(PING)]
    expected = [sum(map(len, frames[: count + 1])) for count in range(len(frames))]
    assert boundaries(b"".join(frames)) == expected


def test_a_frame_in_single_bytes_is_followed_too() -> None:
    scanner, stream = FrameScanner(), frame(TEXT, b"x" * 300) + frame(TEXT, b"y")
    for byte in stream:
        assert scanner.next(memoryview(bytes((byte,))), 0, 300) == (1, False)


@pytest.mark.parametrize("size", [1001, 70_000])
def test_a_large_frame_is_seen_at_its_header(size: int) -> None:
    scanner = FrameScanner()
    header = frame(BINARY, b"x" * size)[:14]
    assert scanner.next(memoryview(header), 0, 1000).oversized


def test_a_length_of_exabytes_is_only_a_number() -> None:
    announced = bytes.fromhex("82ff7fffffffffffffff12345678")
    assert FrameScanner().next(memoryview(announced), 0, 1000).oversized
