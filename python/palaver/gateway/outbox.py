"""What waits to be written to one client: frames in order, joined into few writes, counted in bytes."""

from __future__ import annotations

from palaver.gateway.frames import frame_header

WRITE_BYTES = 128 * 1024
"""Most bytes joined for one write, about. What a stalled write leaves in the transport cannot be taken back."""


class Outbox:
    """A queue of frames. It does not refuse anything: whoever pushes looks at `size` first."""

    __slots__ = ("_parts", "size")

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.size = 0
        """Bytes queued, frame headers included."""

    def push_message(self, opcode: int, message: bytes) -> int:
        """Queues a data frame; the message is shared, not copied. Returns the new size."""
        length = len(message)
        header = frame_header(opcode, length)
        self._parts.append(header)
        self._parts.append(message)
        self.size += len(header) + length
        return self.size

    def push_frame(self, frame: bytes) -> None:
        """Queues a frame that is complete with its header."""
        self._parts.append(frame)
        self.size += len(frame)

    def take(self) -> bytes:
        """Takes the oldest bytes, about WRITE_BYTES of them, as one piece; b"" when nothing is queued."""
        parts = self._parts
        if self.size <= WRITE_BYTES:
            self._parts = []
            self.size = 0
            return b"".join(parts)
        count = taken = 0
        while taken < WRITE_BYTES:
            taken += len(parts[count])
            count += 1
        piece = b"".join(parts[:count])
        del parts[:count]
        self.size -= taken
        return piece

    def clear(self) -> None:
        """Forgets what is queued. Frames are taken whole or not at all, so the stream stays well-formed."""
        self._parts = []
        self.size = 0
