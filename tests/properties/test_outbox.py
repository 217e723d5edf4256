"""Outbox beside a list that says what it does, on real sockets."""

from __future__ import annotations

import gc
import socket
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palaver.core import Outbox, Outboxes

LONG, PIECE = 100, 60


class Picky(Outbox):
    """Notes what it is asked, and says `admits`."""

    admits = True

    def __init__(self, outboxes: Outboxes[Picky]) -> None:
        self.asked: list[tuple[int, bool]] = []

    def admit_frame(self, size: int, droppable: bool) -> bool:
        self.asked.append((size, droppable))
        return self.admits


def nothing() -> None: ...


def outboxes(wake: Callable[[], object] = nothing) -> Outboxes[Picky]:
    return Outboxes(wake, LONG, PIECE)


@contextmanager
def connected(shared: Outboxes[Picky]) -> Iterator[tuple[Picky, socket.socket]]:
    """An outbox and the socket of whom it writes to."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        outbox = Picky(shared)
        outbox.descriptor = ours.fileno()
        yield outbox, theirs


def read(socket: socket.socket) -> bytes:
    try:
        return socket.recv(1 << 20)
    except BlockingIOError:
        return b""


SENDERS = 3
steps = st.one_of(
    st.tuples(st.just("send"), st.integers(0, SENDERS - 1), st.integers(0, 70)),
    st.tuples(st.just("push"), st.integers(0, SENDERS - 1), st.integers(0, 20)),
    st.tuples(st.just("clear"), st.integers(0, SENDERS - 1), st.integers(0, 1)),
    st.tuples(st.just("admits"), st.integers(0, SENDERS - 1), st.integers(0, 1)),
    st.tuples(st.just("drop"), st.integers(0, SENDERS - 1), st.just(0)),
    st.tuples(st.just("flush"), st.just(0), st.just(0)),
)


@given(st.lists(steps, max_size=60))
def test_a_reader_gets_what_was_queued_once_and_in_order(script: list[tuple[str, int, int]]) -> None:
    wakes: list[int] = []
    shared = outboxes(lambda: wakes.append(len(wakes)))
    with ExitStack() as stack:
        pairs = [stack.enter_context(connected(shared)) for _ in range(SENDERS)]
        queues: list[list[bytes]] = [[] for _ in pairs]
        due: list[int] = []
        messages = written = woken = 0
        for number, (step, who, size) in enumerate(script):
            outbox, queue = pairs[who][0], queues[who]
            frame = bytes([number]) * size
            queued = step == "push"
            if step == "send":
                joins = outbox.is_clear and sum(map(len, queue)) + size <= LONG
                queued = joins or outbox.admits
                assert outbox.send_frame(frame, droppable=True, count=2) is queued
                assert outbox.asked == ([] if joins else [(size, True)])
                outbox.asked.clear()
                messages += 2 * queued
            elif step == "push":
                outbox.push_frame(frame)
            elif step == "clear":
                outbox.is_clear = bool(size)
            elif step == "admits":
                outbox.admits = bool(size)
            elif step == "drop":
                outbox.drop_frames()
                queue.clear()
            else:
                left = [pairs[each][0] for each in due]
                for each in due:
                    outbox, other = pairs[each]
                    if outbox.is_clear and 0 < sum(map(len, queues[each])) <= PIECE:
                        left.remove(outbox)
                        written += sum(map(len, queues[each]))
                assert shared.flush() == [(outbox, b"") for outbox in left]
                for each in due:
                    outbox, other = pairs[each]
                    if outbox not in left:
                        assert read(other) == b"".join(queues[each])
                        queues[each].clear()
                due.clear()
            if queued:
                queue.append(frame)
                woken += not due
                due += [who] * (who not in due)
            assert [outbox.waiting_bytes for outbox, _ in pairs] == [sum(map(len, queue)) for queue in queues]
            assert (shared.messages_out, shared.bytes_out, len(wakes)) == (messages, written, woken)
        assert [read(other) for _, other in pairs] == [b""] * SENDERS, "what waits has not gone out"


@given(st.lists(st.binary(max_size=90), max_size=30))
def test_a_transport_takes_whole_frames_in_bounded_pieces(frames: list[bytes]) -> None:
    shared = outboxes()
    outbox = Picky(shared)
    for frame in frames:
        outbox.push_frame(frame)
    pieces = []
    while piece := outbox.take_frames():
        pieces.append(piece)
        assert len(piece) < PIECE + 90
        assert outbox.waiting_bytes == sum(map(len, frames)) - sum(map(len, pieces))
    assert b"".join(pieces) == b"".join(frames)
    assert shared.bytes_out == sum(map(len, frames))


def test_what_a_socket_does_not_take_is_left_to_the_transport() -> None:
    shared: Outboxes[Picky] = Outboxes(nothing, 1 << 24, 1 << 24)
    piece = bytes(range(256)) * (1 << 14)
    with connected(shared) as (full, reader), connected(shared) as (gone, other):
        reader.setblocking(True)
        gone.descriptor = 1 << 30  # names no file
        other.close()
        for outbox in (full, gone):
            assert outbox.send_frame(piece)
            assert outbox.send_frame(b"end")
        (first, rest), (second, all_of_it) = shared.flush()
        assert (first, second) == (full, gone)
        assert 0 < len(rest) < len(piece)
        assert all_of_it == piece + b"end"
        taken = bytearray()
        while len(taken) < len(piece) + 3 - len(rest):
            taken += read(reader)
        assert taken + rest == piece + b"end"


def test_without_a_word_of_the_owner_a_long_queue_refuses() -> None:
    shared: Outboxes[Outbox] = Outboxes(nothing, 3, PIECE)
    outbox = Outbox(shared)
    assert outbox.send_frame(b"abc")
    assert not outbox.send_frame(b"d")
    assert outbox.take_frames() == b"abc"


def test_an_owner_that_raises_queues_nothing() -> None:
    class Raising(Picky):
        def admit_frame(self, size: int, droppable: bool) -> bool:
            raise RuntimeError("no")

    shared = outboxes()
    outbox = Raising(shared)
    outbox.is_clear = False
    with pytest.raises(RuntimeError, match="no"):
        outbox.send_frame(b"x")
    assert (outbox.waiting_bytes, shared.messages_out, shared.flush()) == (0, 0, [])


def test_where_waking_raises_the_next_frame_wakes_again() -> None:
    def wake() -> None:
        woken.append(None)
        if len(woken) == 1:
            raise KeyboardInterrupt

    woken: list[None] = []
    shared = outboxes(wake)
    with connected(shared) as (one, reader), connected(shared) as (two, other):
        with pytest.raises(KeyboardInterrupt):
            one.push_frame(b"1")
        two.push_frame(b"2")
        one.push_frame(b"3")
        assert (shared.flush(), len(woken)) == ([], 2)
        assert (read(reader), read(other)) == (b"13", b"2")


def test_an_owner_may_write_and_close_while_it_is_asked() -> None:
    class Closing(Picky):
        def admit_frame(self, size: int, droppable: bool) -> bool:
            self.drop_frames()
            self.push_frame(b"close")
            self.take_frames()
            return False

    shared = outboxes()
    outbox = Closing(shared)
    outbox.push_frame(b"before")
    outbox.is_clear = False
    assert not outbox.send_frame(b"x")
    assert shared.flush() == [(outbox, b"")]


def test_a_ring_of_outboxes_and_their_wake_is_collected() -> None:
    class Loop:
        def __init__(self) -> None:
            self.shared = outboxes(self.wake)
            self.outbox = Picky(self.shared)

        def wake(self) -> None: ...

    loop = Loop()
    loop.outbox.push_frame(b"waits")
    gone = weakref.ref(loop)
    del loop
    gc.collect()
    assert gone() is None
