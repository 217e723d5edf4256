"""The one log of a room: every event gets the next number, and the tail is kept for those who come back.

A session needs no counter of its own elsewhere: what it missed is what the log holds after the last number it saw.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterator

from msgspec import Struct

from palaver.protocol.codec import JSON, Codec
from palaver.protocol.events import Event


class Entry(Struct, eq=False, gc=False):
    """One event with its number and its audience; its body is encoded at most once per encoding."""

    epoch: int
    seq: int
    kind: type[Event]
    event: Event | None
    """The event itself; None where it is for one peer: an SDP need not be kept beside its encoding."""
    to: Container[str] | str | None
    but: str | None
    codec: Codec
    body: bytes
    """The event's own fields in that encoding; empty where the frame is kept instead."""
    size: int
    """Bytes that it counts for in the log."""
    frame: bytes = b""
    """The text frame that its one receiver was sent (RFC 6455 § 5.2)."""
    other_body: bytes | None = None
    """The same in the other encoding, once somebody asked for it."""
    latest: tuple[Codec, int, bytes] | None = None
    """The encoding, `prev` and message last asked for; most receivers of a room want the same one."""
    shared: dict[tuple[Codec, int], bytes] | None = None

    def message(self, codec: Codec, prev: int) -> bytes:
        """The whole notification for a receiver that last saw `prev`; receivers with the same past share it."""
        latest = self.latest
        if latest is not None and latest[1] == prev and latest[0] is codec:
            return latest[2]
        if self.event is None:
            return self._encode(codec, prev)
        shared = self.shared
        if shared is None:
            shared = self.shared = {}
        message = shared.get((codec, prev))
        if message is None:
            message = self._encode(codec, prev)
            if len(shared) < 4:  # those in step share one; the few that are behind encode their own head
                shared[codec, prev] = message
        self.latest = codec, prev, message
        return message

    def _encode(self, codec: Codec, prev: int) -> bytes:
        body = self.body or JSON.own_fields(self.frame)
        if codec is not self.codec:
            if self.other_body is None:
                event = self.event  # None: its one receiver has come back with another encoding
                self.other_body = codec.translate(self.codec, body) if event is None else codec.body(event)
            body = self.other_body
        return codec.event(self.kind.method, self.epoch, self.seq, prev, body)

    def settle(self) -> None:
        """Forgets the encoded messages once all who are present have been served; the log keeps only bodies."""
        self.shared = self.latest = None


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
        seq = self.seq = self.seq + 1
        body = codec.body(event)
        alone = None if type(to) is str else event
        entry = Entry(self.epoch, seq, type(event), alone, to, but, codec, body, len(body))
        self._keep(entry)
        return entry

    def append_frame(self, kind: type[Event], to: str, frame: bytes) -> None:
        """Notes an event for one peer, of which there is only the frame; it has the log's next number."""
        seq = self.seq = self.seq + 1
        self._keep(Entry(self.epoch, seq, kind, None, to, None, JSON, b"", len(frame), frame))

    def _keep(self, entry: Entry) -> None:
        entries = self._entries
        entries.append(entry)
        self._bytes += entry.size
        while len(entries) > self._max_events or self._bytes > self._max_bytes:
            self._bytes -= entries.popleft().size

    def after(self, seq: int) -> Iterator[Entry] | None:
        """The entries after `seq`, oldest first; None where the tail no longer reaches back so far, or `seq` never was."""
        if seq > self.seq or seq < self.seq - len(self._entries):
            return None
        skip = len(self._entries) - (self.seq - seq)
        return (self._entries[index] for index in range(skip, len(self._entries)))

    def trim(self, seq: int) -> None:
        """Forgets all up to and including `seq`: everybody has seen it."""
        while self._entries and self._entries[0].seq <= seq:
            self._bytes -= self._entries.popleft().size

    def __len__(self) -> int:
        return len(self._entries)
