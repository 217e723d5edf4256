"""The protocol of a WebSocket whose client has shown no token yet."""

from __future__ import annotations

import asyncio
from typing import Protocol

from palaver.gateway.frame_scanner import FrameScanner


class Newcomer(Protocol):
    """A connection that may become authenticated with any frame that it is fed."""

    authenticated: bool

    @property
    def takes_frames(self) -> bool: ...

    def take_plain(self, data: memoryview) -> int: ...

    def feed(self, data: bytes | memoryview) -> None: ...

    def too_big(self) -> None: ...

    def admitted(self) -> None: ...

    def lost(self) -> None: ...

    def pause_writing(self) -> None: ...

    def resume_writing(self) -> None: ...


class Antechamber(asyncio.BufferedProtocol):
    """Lets frames through one by one, and none that announces more than a newcomer may send.

    Only until the token; then the socket reads straight into the parser. Messages that came whole and are small enough, as
    nearly all are, need no scanner.
    """

    __slots__ = ("_max_bytes", "_newcomer", "_scanner", "_scratch")

    def __init__(self, newcomer: Newcomer, scratch: memoryview, max_bytes: int) -> None:
        self._newcomer = newcomer
        self._scratch = scratch
        self._max_bytes = max_bytes
        self._scanner = FrameScanner()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._scratch

    def buffer_updated(self, nbytes: int) -> None:
        self.take(self._scratch[:nbytes])

    def take(self, data: memoryview) -> None:
        newcomer = self._newcomer
        start = 0
        while start < len(data) and newcomer.takes_frames:
            if newcomer.authenticated:
                newcomer.admitted()
                newcomer.feed(data[start:])
                return
            if self._scanner.is_between_frames and (taken := newcomer.take_plain(data[start:])):
                start += taken
                continue
            stretch = self._scanner.next(data, start, self._max_bytes)
            if stretch.oversized:
                newcomer.too_big()
                return
            newcomer.feed(data[start : stretch.end])
            start = stretch.end
        if newcomer.authenticated and newcomer.takes_frames:
            newcomer.admitted()

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self._newcomer.pause_writing()

    def resume_writing(self) -> None:
        self._newcomer.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._newcomer.lost()
