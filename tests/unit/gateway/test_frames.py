from __future__ import annotations

import pytest

from palaver.gateway.frames import PING, close_frame, control_frame
from palaver.protocol.frames import BINARY, TEXT, frame_header


@pytest.mark.parametrize(
    ("size", "header"),
    [
        (0, "8100"),
        (125, "817d"),
        (126, "817e007e"),
        (65535, "817effff"),
        (65536, "817f0000000000010000"),
    ],
)
def test_a_length_takes_the_shortest_form(size: int, header: str) -> None:
    assert frame_header(TEXT, size) == bytes.fromhex(header)


def test_binary_frames_say_so() -> None:
    assert frame_header(BINARY, 5) == bytes.fromhex("8205")


def test_a_control_frame_is_bounded() -> None:
    assert control_frame(PING, b"x" * 125)[:2] == bytes.fromhex("897d")
    with pytest.raises(ValueError, match="125"):
        control_frame(PING, b"x" * 126)


def test_a_close_without_a_code_is_empty() -> None:
    assert close_frame(1005) == bytes.fromhex("8800")
    assert close_frame(1000) == bytes.fromhex("880203e8")
