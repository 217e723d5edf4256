"""The habits of picows that palaver.gateway.parser builds on. If one of these fails after an update, read its changes."""

from __future__ import annotations

import pytest
from picows import WSFrame, WSListener, WSMsgType, WSTransport

from palaver.gateway.parser import READ_BUFFER_BYTES, new_parser
from palaver.gateway.parser import feed as feed_some
from unit.gateway.raw_websocket import BINARY, CLOSE, PING, TEXT, close_frame, frame


class Listener(WSListener):
    def __init__(self) -> None:
        self.frames: list[tuple[int, bytes, bool]] = []
        self.broken: list[tuple[int, str]] = []
        self.order: list[str] = []

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        assert kind is WSMsgType(kind), "kinds are enum members, so that `is` compares them"
        self.order.append("frame")
        self.frames.append((kind.value, frame.get_payload_as_bytes(), bool(frame.last_in_buffer)))

    def note_broken(self, code: int, why: str) -> None:
        self.order.append("broken")
        self.broken.append((code, why))


def feed(parser: object, data: bytes) -> None:
    while data:
        data = data[feed_some(parser, data) :]


def parse(*pieces: bytes, max_frame_bytes: int = 1000) -> Listener:
    listener = Listener()
    parser = new_parser(listener, max_frame_bytes, listener.note_broken)
    for piece in pieces:
        feed(parser, piece)
    return listener


async def test_frames_come_one_by_one_and_the_last_of_a_read_is_marked() -> None:
    listener = parse(frame(TEXT, b"one") + frame(PING, b"p"), frame(BINARY, b"two"))
    assert listener.frames == [(TEXT, b"one", False), (PING, b"p", True), (BINARY, b"two", True)]


async def test_a_frame_in_single_bytes_comes_once() -> None:
    listener = parse(*(bytes((byte,)) for byte in frame(TEXT, b"hello")))
    assert listener.frames == [(TEXT, b"hello", True)]


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (frame(3), 1002),
        (frame(7), 1002),
        (frame(11), 1002),
        (frame(15), 1002),
        (frame(TEXT, b"x", masked=False), 1002),
        (frame(PING, b"x" * 126), 1002),
        (frame(PING, final=False), 1002),
        (frame(TEXT, b"x", length_code=126), 1002),
        (frame(TEXT, b"x" * 200, length_code=127), 1002),
        (bytes.fromhex("81ffffffffffffffffff00000000"), 1002),
        (frame(TEXT, b"x" * 1001), 1009),
        (close_frame(1004), 1002),
        (close_frame(1000, b"\xff"), 1007),
        (frame(CLOSE, b"x"), 1002),
    ],
)
async def test_a_broken_frame_is_reported_once_and_the_good_one_before_it_still_comes(
    broken: bytes, code: int
) -> None:
    listener = parse(frame(TEXT, b"good") + broken)
    assert listener.frames == [(TEXT, b"good", True)]
    assert [reported for reported, _ in listener.broken] == [code]


async def test_a_parser_starts_small_and_grows_with_the_frame() -> None:
    listener = Listener()
    parser = new_parser(listener, 100_000, listener.note_broken)
    assert len(parser.get_buffer(-1)) <= READ_BUFFER_BYTES
    feed(parser, frame(TEXT, b"x" * 60_000))
    assert listener.frames == [(TEXT, b"x" * 60_000, True)]
    assert len(parser.get_buffer(-1)) > 60_000


async def test_part_of_a_frame_shows_in_the_free_room() -> None:
    listener = Listener()
    parser = new_parser(listener, 1000, listener.note_broken)
    before = len(parser.get_buffer(-1))
    feed(parser, frame(TEXT, b"x" * 100)[:50])
    assert len(parser.get_buffer(-1)) == before - 50
