"""Looks at frame headers before the frame parser buffers their payloads (RFC 6455 § 5.2)."""

from __future__ import annotations

from typing import NamedTuple

_CONTROL = 0x08
_MASKED = 0x80
_IMPOSSIBLE = 1 << 63
"""A length that breaks § 5.2; the parser says so."""


class Stretch(NamedTuple):
    """Bytes up to `end` belong to frames that may be parsed."""

    end: int
    oversized: bool
    """The frame that starts at `end`, or before it, announces more payload than allowed."""


class FrameScanner:
    """Follows a client's stream from frame to frame; masks and validity are the parser's business.

    The parser allows every frame the largest message of an authenticated client, and keeps its buffer for ever.
    Before the token, a client must not be able to make it that large: this sees the announced length first.
    """

    __slots__ = ("_header", "_rest")

    def __init__(self) -> None:
        self._header = bytearray()
        self._rest = 0

    @property
    def is_between_frames(self) -> bool:
        return not (self._rest or self._header)

    def next(self, data: memoryview, start: int, max_bytes: int) -> Stretch:
        """Returns the stretch from `start` to the end of the current frame, or of the data."""
        position = start
        while self._rest == 0:
            if position == len(data):
                return Stretch(position, False)
            self._header.append(data[position])
            position += 1
            size = _header_size(self._header)
            if size and len(self._header) == size:
                payload = _payload_size(self._header)
                if max_bytes < payload < _IMPOSSIBLE and not self._header[0] & _CONTROL:
                    return Stretch(position, True)
                self._rest = payload
                self._header.clear()
                if payload == 0:
                    return Stretch(position, False)
        taken = min(self._rest, len(data) - position)
        self._rest -= taken
        return Stretch(position + taken, False)


def _header_size(header: bytearray) -> int:
    """Size of the whole header, the mask included; 0 while its second byte is missing."""
    if len(header) < 2:
        return 0
    return 2 + {126: 2, 127: 8}.get(header[1] & 0x7F, 0) + (4 if header[1] & _MASKED else 0)


def _payload_size(header: bytearray) -> int:
    length = header[1] & 0x7F
    if length == 126:
        return int.from_bytes(header[2:4], "big")
    if length == 127:
        return int.from_bytes(header[2:10], "big")
    return length
