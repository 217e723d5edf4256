"""Acceptor: takes sockets from the kernel, as long as the process has file descriptors for them."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import resource
import socket
from collections.abc import Callable, Sequence
from typing import Any, Final

_log = logging.getLogger("palaver.gateway")

BACKLOG: Final = 1024
"""Sockets the kernel keeps for us; a storm of reconnects must fit (Linux caps it at net.core.somaxconn)."""
AT_ONCE: Final = 64
"""Sockets taken in one loop turn, so that a storm of newcomers does not keep those who are here waiting."""
RESERVED_DESCRIPTORS: Final = 32
"""Descriptors that clients do not get: for the rulings, certificates, key sets, the side port and its visitors."""
PAUSE_SECONDS: Final = 0.25
"""How long accepting pauses at least when there are no descriptors left. Newcomers wait in the kernel's backlog."""

_EXHAUSTED: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

Address = tuple[Any, ...]


class Acceptor:
    """Listens at one address, or at several. `taken(socket, address)` is called with each non-blocking socket, on the loop.

    Our own, because uvloop's server accepts and drops connections when the process is out of descriptors, without
    a word to anybody; here they wait in the backlog, the connections that are there go on, and a log entry says why.
    """

    def __init__(self, taken: Callable[[socket.socket, Address], None]) -> None:
        self._taken = taken
        self._loop: asyncio.AbstractEventLoop
        self._listening: list[socket.socket] = []
        self._retry: asyncio.TimerHandle | None = None
        self.pauses = 0
        """Times that accepting paused."""

    @property
    def paused(self) -> bool:
        """Whether nobody is accepted now, for want of file descriptors."""
        return self._retry is not None

    async def listen(self, host: str, port: int, *, shared: bool = False) -> tuple[str, int]:
        """Binds and begins. Returns the first address that is bound. Raises OSError; then nothing is left open.

        `shared`: other processes of this user may listen there too, and the kernel deals the newcomers out
        (SO_REUSEPORT, socket(7)).
        """
        self._loop = asyncio.get_running_loop()
        found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        new: list[socket.socket] = []
        try:
            for family, address in dict.fromkeys((each[0], each[4]) for each in found):
                listener = socket.create_server(address, family=family, backlog=BACKLOG, reuse_port=shared)
                listener.setblocking(False)
                self._listening.append(listener)
                new.append(listener)
        except BaseException:
            self.close()
            raise
        for listener in new:
            self._loop.add_reader(listener, self._ready, listener)
        bound = new[0].getsockname()
        return bound[0], bound[1]

    def close(self) -> None:
        """Stops listening; who waits in the backlog is reset. Safe to call again."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        for listener in self._listening:
            self._loop.remove_reader(listener)
            listener.close()
        self._listening.clear()

    def _ready(self, listener: socket.socket) -> None:
        for _ in range(AT_ONCE):
            try:
                client, address = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                self._pause()
                return
            client.setblocking(False)
            descriptor = client.fileno()
            self._taken(client, address)
            if descriptor >= _ceiling():
                self._pause()
                return

    def _pause(self) -> None:
        self.pauses += 1
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        _log.warning(
            "out of file descriptors: nobody is accepted until some are free", extra={"limit": limit}
        )
        for listener in self._listening:
            self._loop.remove_reader(listener)
        self._retry = self._loop.call_later(PAUSE_SECONDS, self._try_again)

    def _try_again(self) -> None:
        if not _has_room(self._listening):
            self._retry = self._loop.call_later(PAUSE_SECONDS, self._try_again)
            return
        self._retry = None
        for listener in self._listening:
            self._loop.add_reader(listener, self._ready, listener)


def _ceiling() -> int:
    """The lowest descriptor that is none for a client. The kernel hands out the lowest that is free."""
    return max(1, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - RESERVED_DESCRIPTORS)


def _has_room(listening: Sequence[socket.socket]) -> bool:
    try:
        probe = os.dup(listening[0].fileno())
    except OSError:
        return False
    os.close(probe)
    return probe < _ceiling()
