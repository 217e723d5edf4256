"""The one log of a room: every event gets the next number, and the tail is kept for those who come back.

A session needs no counter of its own elsewhere: what it missed is what the log holds after the last number it saw.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterator
from typing import Final

from palaver.protocol.codec import JSON, Codec
from palaver.protocol.events import Event

LARGE_BODY: Final = 1024
"""A larger body is copied before it is kept. Encoders grow their buffer in steps, and what is left over of it between
bodies that stay is too small for the next: without the copy of 0.1 µs, offers of 2 KB took 3.1 KB each."""


class Entry:
    """One event with its number and its audience; its body is encoded at most once per encoding."""

    __slots__ = (
        "_bodies",
        "_codec",
        "_message",
        "_prev",
        "_shared",
        "but",
        "epoch",
        "event",
        "kind",
        "seq",
        "size",
        "to",
    )

    def __init__(
        self,
        epoch: int,
        seq: int,
        event: Event,
        to: Container[str] | str | None,
        but: str | None,
        codec: Codec,
    ) -> None:
        self.epoch = epoch
        self.seq = seq
        self.kind = type(event)
        self.event: Event | None = None if isinstance(to, str) else event
        """The event itself; None where it is for one peer: an SDP need not be kept beside its encoding."""
        self.to = to
        self.but = but
        body = codec.body(event)
        if len(body) > LARGE_BODY:
            body = bytes(memoryview(body))
        self._bodies = {codec: body}
        self.size = len(body)
        """Bytes that it counts for in the log."""
        self._codec = codec
        self._prev = -1
        self._message = b""
        """The last that was asked for; most receivers of a room want the same one."""
        self._shared: dict[tuple[Codec, int], bytes] | None = None

    def message(self, codec: Codec, prev: int) -> bytes:
        """The whole notification for a receiver that last saw `prev`; receivers with the same past share it."""
        if prev == self._prev and codec is self._codec:
            return self._message
        if isinstance(self.to, str):
            return self._encode(codec, prev)
        shared = self._shared
        if shared is None:
            shared = self._shared = {}
        message = shared.get((codec, prev))
        if message is None:
            message = self._encode(codec, prev)
            if len(shared) < 4:  # those in step share one; the few that are behind encode their own head
                shared[codec, prev] = message
        self._codec, self._prev, self._message = codec, prev, message
        return message

    def _encode(self, codec: Codec, prev: int) -> bytes:
        body = self._bodies.get(codec)
        if body is None:
            body = self._bodies[codec] = self._other_body(codec)
        return codec.event(self.kind.method, self.epoch, self.seq, prev, body)

    def _other_body(self, codec: Codec) -> bytes:
        if self.event is not None:
            return codec.body(self.event)
        first, body = next(iter(self._bodies.items()))  # its one receiver has come back with another encoding
        return codec.translate(first, body)

    def settle(self) -> None:
        """Forgets the encoded messages once all who are present have been served; the log keeps only bodies."""
        self._shared = None
        self._prev, self._message = -1, b""


class RoomLog:
    """Numbers events from 1 within an epoch and keeps a tail bounded by count and bytes."""

    def __init__(self, epoch: int, max_events: int, max_bytes: int) -> None:
        self.epoch = epoch
        self.seq = 0
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._bytes = 0
        self._entries: deque[Entry] = deque()

    def append(
        self, event: Event, to: Container[str] | str | None, but: str | None, codec: Codec = JSON
    ) -> Entry:
        """Notes an event; `codec` is the encoding that it is most likely asked for."""
        self.seq += 1
        entry = Entry(self.epoch, self.seq, event, to, but, codec)
        self._entries.append(entry)
        self._bytes += entry.size
        while len(self._entries) > self._max_events or self._bytes > self._max_bytes:
            self._drop_first()
        return entry

    def after(self, seq: int) -> Iterator[Entry] | None:
        """The entries after `seq`, oldest first; None where the tail no longer reaches back so far, or `seq` never was."""
        if seq > self.seq or seq < self.seq - len(self._entries):
            return None
        skip = len(self._entries) - (self.seq - seq)
        return (self._entries[index] for index in range(skip, len(self._entries)))

    def trim(self, seq: int) -> None:
        """Forgets all up to and including `seq`: everybody has seen it."""
        while self._entries and self._entries[0].seq <= seq:
            self._drop_first()

    def __len__(self) -> int:
        return len(self._entries)

    def _drop_first(self) -> None:
        self._bytes -= self._entries.popleft().size
