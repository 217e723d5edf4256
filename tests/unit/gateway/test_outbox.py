from __future__ import annotations

from palaver.gateway.frames import control_frame
from palaver.gateway.outbox import WRITE_BYTES, Outbox
from palaver.protocol.frames import TEXT, data_frame, frame_header


def test_frames_leave_in_order_as_one_piece() -> None:
    outbox = Outbox()
    outbox.push_frame(data_frame(TEXT, b"one"))
    outbox.push_frame(control_frame(9, b"p"))
    outbox.push_frame(data_frame(TEXT, b"two"))
    assert outbox.size == 5 + 3 + 5
    assert outbox.take() == b"\x81\x03one\x89\x01p\x81\x03two"
    assert outbox.size == 0
    assert outbox.take() == b""


def test_a_long_queue_leaves_in_bounded_pieces() -> None:
    outbox = Outbox()
    message = b"x" * 50_000
    for _ in range(20):
        outbox.push_frame(data_frame(TEXT, message))
    queued = outbox.size
    pieces = []
    while piece := outbox.take():
        pieces.append(piece)
        assert outbox.size == queued - sum(map(len, pieces))
    assert max(map(len, pieces)) <= WRITE_BYTES + len(message)
    assert b"".join(pieces) == (frame_header(TEXT, len(message)) + message) * 20


def test_clearing_forgets_what_was_queued() -> None:
    outbox = Outbox()
    outbox.push_frame(data_frame(TEXT, b"x" * 300_000))
    outbox.clear()
    assert (outbox.size, outbox.take()) == (0, b"")
