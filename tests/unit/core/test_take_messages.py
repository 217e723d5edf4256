"""take_messages: which frames are plain, and what is left of the rest. That it finds what the parser finds is a law elsewhere."""

from __future__ import annotations

import pytest

from palaver.core import take_messages
from palaver.protocol.frames import BINARY, TEXT
from unit.gateway.raw_websocket import PING, frame


def take(*frames: bytes, opcode: int = TEXT, most: int = 1000) -> tuple[list[bytes], int, int]:
    sent = b"".join(frames)
    return take_messages(memoryview(sent + b"of an earlier read"), len(sent), opcode, most)


def test_it_takes_all_that_are_plain_and_says_how_far_it_came() -> None:
    one, other = frame(TEXT, b"one"), frame(TEXT, b"other" * 100)
    assert take(one, other) == ([b"one", b"other" * 100], 503, len(one) + len(other))
    assert take(one, frame(PING, b""), other) == ([b"one"], 3, len(one))
    assert take(one, other[:-1]) == ([b"one"], 3, len(one))
    assert take() == ([], 0, 0)


@pytest.mark.parametrize(
    "strange",
    [
        frame(BINARY, b"x"),
        frame(PING, b"x"),
        frame(TEXT, b"x", final=False),
        frame(TEXT, b"x", reserved=4),
        frame(TEXT, b"x", masked=False),
        frame(TEXT, b"x" * 1001),
        frame(TEXT, "ü".encode()),
    ],
)
def test_what_needs_a_closer_look_is_left(strange: bytes) -> None:
    assert take(strange, frame(TEXT, b"behind")) == ([], 0, 0)


def test_binary_messages_may_hold_any_byte() -> None:
    assert take(frame(BINARY, b"\xff"), opcode=BINARY)[0] == [b"\xff"]


def test_it_says_that_the_buffer_is_shorter() -> None:
    with pytest.raises(ValueError, match="at most that of the buffer"):
        take_messages(bytearray(3), 4, TEXT, 10)
