"""The protocol of a socket whose incoming bytes no longer matter."""

from __future__ import annotations

import asyncio
from typing import Protocol


class Ending(Protocol):
    """A connection that waits for its socket to go."""

    def lost(self) -> None: ...

    def pause_writing(self) -> None: ...

    def resume_writing(self) -> None: ...


class Drain(asyncio.BufferedProtocol):
    """Reads into the void until the peer closes; the connection sets the time limit."""

    __slots__ = ("_ending", "_void")

    def __init__(self, ending: Ending, void: memoryview) -> None:
        self._ending = ending
        self._void = void

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._void

    def buffer_updated(self, nbytes: int) -> None:
        """Forgets them."""

    def eof_received(self) -> bool:
        return False  # the transport closes itself, after what it still has to write

    def pause_writing(self) -> None:
        self._ending.pause_writing()

    def resume_writing(self) -> None:
        self._ending.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ending.lost()
