"""What waits to be written to one client: frames in order, joined into few writes, counted in bytes."""

from __future__ import annotations

WRITE_BYTES = 128 * 1024
"""Most bytes joined for one write, about. What a stalled write leaves in the transport cannot be taken back."""


class Outbox:
    """A queue of frames. It does not refuse anything: whoever pushes looks at `size` first."""

    __slots__ = ("_frames", "size")

    def __init__(self) -> None:
        self._frames: list[bytes] = []
        self.size = 0
        """Bytes queued, frame headers included."""

    def push_frame(self, frame: bytes) -> int:
        """Queues a frame that is complete with its header. Returns the bytes that were queued before."""
        before = self.size
        self._frames.append(frame)
        self.size = before + len(frame)
        return before

    def take(self) -> bytes:
        """Takes the oldest frames, about WRITE_BYTES of them, as one piece; b"" when nothing is queued."""
        frames = self._frames
        if len(frames) == 1:
            self.size = 0
            return frames.pop()
        if self.size <= WRITE_BYTES:
            self.clear()
            return b"".join(frames)
        count = taken = 0
        while taken < WRITE_BYTES:
            taken += len(frames[count])
            count += 1
        piece = b"".join(frames[:count])
        del frames[:count]
        self.size -= taken
        return piece

    def clear(self) -> None:
        """Forgets what is queued. Frames are taken whole or not at all, so the stream stays well-formed."""
        self._frames = []
        self.size = 0
