"""The one log of a room: every event gets the next number, and the tail is kept for those who come back.

A session needs no counter of its own elsewhere: what it missed is what the log holds after the last number it saw.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from msgspec import Struct

from palaver.core import LogTail, RelayRun
from palaver.protocol.codec import JSON, Codec
from palaver.protocol.events import Event, TransportAnswer, TransportIce, TransportOffer

PASSED_ON: Final[dict[str, type[Event]]] = {
    kind.method: kind for kind in (TransportOffer, TransportAnswer, TransportIce)
}
"""The events that may be kept as frames."""


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
    """The event's own fields in that encoding."""
    other_body: bytes | None = None
    """The same in the other encoding, once somebody asked for it."""
    latest: tuple[Codec, int, bytes] | None = None
    """The encoding, `prev` and frame last asked for; most receivers of a room want the same one."""
    shared: dict[tuple[Codec, int], bytes] | None = None

    def frame(self, codec: Codec, prev: int) -> bytes:
        """The notification for a receiver that last saw `prev`, as a frame; receivers with the same past share it."""
        latest = self.latest
        if latest is not None and latest[1] == prev and latest[0] is codec:
            return latest[2]
        if self.event is None:
            return codec.frame(self.message(codec, prev))
        shared = self.shared
        if shared is None:
            shared = self.shared = {}
        frame = shared.get((codec, prev))
        if frame is None:
            frame = codec.frame(self.message(codec, prev))
            if len(shared) < 4:  # those in step share one; the few that are behind encode their own head
                shared[codec, prev] = frame
        self.latest = codec, prev, frame
        return frame

    def message(self, codec: Codec, prev: int) -> bytes:
        """The notification alone, for a receiver that last saw `prev`."""
        body = self.body
        if codec is not self.codec:
            if self.other_body is None:
                event = self.event  # None: its one receiver has come back with another encoding
                self.other_body = codec.translate(self.codec, body) if event is None else codec.body(event)
            body = self.other_body
        return codec.event(self.kind.method, self.epoch, self.seq, prev, body)

    def settle(self) -> None:
        """Forgets the frames once all who are present have been served; the log keeps only bodies."""
        self.shared = self.latest = None


class RoomLog:
    """Numbers events from 1 within an epoch and keeps a tail bounded by count and bytes."""

    def __init__(self, epoch: int, max_events: int, max_bytes: int) -> None:
        self.epoch = epoch
        self.seq = 0
        self._old = 0
        """The number of the last event that was there when `age` was called last."""
        self._tail = LogTail(max_events, max_bytes)
        """In order of their numbers: entries, and of events that were sent as frames only these."""

    def append(
        self, event: Event, to: Container[str] | str | None, but: str | None, codec: Codec = JSON
    ) -> Entry:
        """Notes an event; `codec` is the encoding that it is most likely asked for."""
        seq = self.seq = self.seq + 1
        body = codec.body(event)
        entry = Entry(self.epoch, seq, type(event), None if type(to) is str else event, to, but, codec, body)
        self._tail.append(entry, len(body))
        return entry

    def append_run(self, run: RelayRun, sender: str, to: str, prev: int) -> bytes:
        """Notes events of `PASSED_ON` for one peer that last saw `prev`, and returns their frames. They have the log's next
        numbers; of each there is only the text frame here."""
        frames = run.frames(self._tail, sender, to, self.epoch, self.seq + 1, prev)
        self.seq += len(run)
        return frames

    def after(self, seq: int) -> list[Entry] | None:
        """The entries after `seq`, oldest first; None where the tail no longer reaches back so far, or `seq` never was."""
        if not 0 <= self.seq - seq <= len(self._tail):
            return None
        entries: list[Entry] = []
        for number, kept in enumerate(self._tail.newest(self.seq - seq), seq + 1):
            if type(kept) is tuple:
                to, frame = kept
                kind, body = JSON.kind_and_body(frame)
                entries.append(Entry(self.epoch, number, PASSED_ON[kind], None, to, None, JSON, body))
            else:
                entries.append(kept)
        return entries

    def trim(self, seq: int) -> None:
        """Forgets all up to and including `seq`: everybody has seen it."""
        self._tail.shorten(max(self.seq - seq, 0))

    def age(self) -> None:
        """Forgets what was there when this was called last."""
        self.trim(self._old)
        self._old = self.seq

    def __len__(self) -> int:
        return len(self._tail)
