"""The one log of a room: every event gets the next number, and the tail is kept for those who come back.

A session needs no counter of its own elsewhere: what it missed is what the log holds after the last number it saw.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterator

from palaver.protocol.codec import JSON, MSGPACK, Codec
from palaver.protocol.events import Event


class Entry:
    """One event with its number and its audience; its body is encoded at most once per encoding."""

    __slots__ = ("_frames", "_msgpack", "but", "epoch", "event", "json", "seq", "to")

    def __init__(
        self, epoch: int, seq: int, event: Event, to: Container[str] | str | None, but: str | None
    ) -> None:
        self.epoch = epoch
        self.seq = seq
        self.event = event
        self.to = to
        self.but = but
        self.json = JSON.body(event)
        self._msgpack: bytes | None = None
        self._frames: dict[tuple[Codec, int], bytes] = {}

    def message(self, codec: Codec, prev: int) -> bytes:
        """The whole notification for a receiver that last saw `prev`; receivers with the same past share it."""
        cached = self._frames.get((codec, prev))
        if cached is not None:
            return cached
        if codec is MSGPACK:
            if self._msgpack is None:
                self._msgpack = MSGPACK.body(self.event)
            body = self._msgpack
        else:
            body = self.json
        message = codec.event(self.event.method, self.epoch, self.seq, prev, body)
        if len(self._frames) < 4:  # those in step share one; the few that are behind encode their own head
            self._frames[codec, prev] = message
        return message

    def settle(self) -> None:
        """Forgets the encoded messages once all who are present have been served; the log keeps only bodies."""
        self._frames.clear()


class RoomLog:
    """Numbers events from 1 within an epoch and keeps a tail bounded by count and bytes."""

    def __init__(self, epoch: int, max_events: int, max_bytes: int) -> None:
        self.epoch = epoch
        self.seq = 0
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._bytes = 0
        self._entries: deque[Entry] = deque()

    def append(self, event: Event, to: Container[str] | str | None, but: str | None) -> Entry:
        self.seq += 1
        entry = Entry(self.epoch, self.seq, event, to, but)
        self._entries.append(entry)
        self._bytes += len(entry.json)
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
        self._bytes -= len(self._entries.popleft().json)
