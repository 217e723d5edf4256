"""The open sockets and what they share: settings, counters, handler, one timer, one flush per loop turn."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from itertools import count
from typing import Protocol

from palaver.core import Outboxes
from palaver.gateway.counters import GatewayCounters
from palaver.gateway.message_handler import Message, MessageHandler
from palaver.gateway.parser import READ_BUFFER_BYTES, ParserPool
from palaver.gateway.pulse import BEATS_PER_PING
from palaver.gateway.timer_wheel import Due, TimerWheel
from palaver.protocol.close_codes import CloseCode
from palaver.settings import GatewaySettings
from palaver.signaling.ports import Connection
from palaver.signaling.rate_limit import Bucket

log = logging.getLogger("palaver.gateway")

WRITE_BYTES = 128 * 1024
"""Most bytes joined for one write, about. What a stalled write leaves in the transport cannot be taken back."""
MAX_PAUSE = 0.25
"""Seconds between two looks at the deadlines, at most."""
MAX_PAUSE_AMONG_MANY = 0.02
"""The same where there are many connections, so that little is due at once and all others wait for little: among 15,000 idle
clients 0.2 ms of work instead of 1 to 3. A node with few would wake for nothing, which costs 7 ms of CPU a second."""
MANY = 500


class Socket(Due, Connection, Protocol):
    """An upgraded connection, as the table sees it."""

    @property
    def queued_bytes(self) -> int: ...

    def flush(self) -> None: ...

    def write(self, piece: bytes) -> None: ...

    def abort(self) -> None: ...


class ConnectionTable:
    """What the connections of one gateway have in common. Bound to one event loop from `start` to `stop`."""

    def __init__(
        self,
        settings: GatewaySettings,
        handler: MessageHandler,
        deliver: Callable[[Connection, list[Message]], None],
        clock: Callable[[], float],
        close_seconds: float,
        linger_seconds: float,
    ) -> None:
        self.settings = settings
        self.handler = handler
        self.deliver = deliver
        self.clock = clock
        self.close_seconds = close_seconds
        self.linger_seconds = linger_seconds
        self.outboxes: Outboxes[Socket] = Outboxes(self._flush_soon, settings.outbox_shed_bytes, WRITE_BYTES)
        self.counters = GatewayCounters(self.outboxes)
        self.sockets: set[Socket] = set()
        self.half_open: set[Due] = set()
        self.closing = False
        self.draining = False
        self.loop: asyncio.AbstractEventLoop
        self.parsers: ParserPool
        self.beat = settings.ping_ms / 1000 / BEATS_PER_PING
        """Seconds between two looks at a connection; silence is counted in beats."""
        self._pause = min(MAX_PAUSE, max(0.005, min(self.beat, settings.handshake_seconds) / 8))
        self.wheel = TimerWheel(min(self._pause, MAX_PAUSE_AMONG_MANY), clock())
        self.next_id = count(1).__next__
        self.scratch = memoryview(bytearray(64 * 1024))
        """Where bytes land that are looked at once."""
        self.read_buffer = self.scratch[:READ_BUFFER_BYTES]
        """The same for a client that may send a lot: what one read brings is handled before others have their turn."""
        self._per_address: Counter[str] = Counter()
        self._half_open_per_address: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None
        self._news = asyncio.Event()
        self._tracebacks = Bucket(rate=1.0, burst=10.0)

    def start(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.parsers = ParserPool(self.settings.max_message_bytes)
        self._later()

    def reconfigure(self, settings: GatewaySettings) -> None:
        self.settings = settings
        self.outboxes.long_bytes = settings.outbox_shed_bytes
        if self._timer is not None:
            self.parsers.set_max_frame_bytes(settings.max_message_bytes)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def tick(self) -> None:
        """Meets the deadlines that the clock has passed. The timer calls it, and a test that moves the clock."""
        self.wheel.advance(self.clock())

    def _on_timer(self) -> None:
        self._later()
        self.tick()

    def _later(self) -> None:
        pause = self.wheel.tick if len(self.sockets) >= MANY else self._pause
        self._timer = self.loop.call_later(pause, self._on_timer)

    def _flush_soon(self) -> None:
        """Flushes when this loop turn has handled all that it read."""
        self.loop.call_soon(self._flush)

    def _flush(self) -> None:
        # Straight to the descriptors in one call: the way through the transports, one by one, takes 1 µs each.
        for socket, rest in self.outboxes.flush():
            if rest:
                self._by_itself(socket, socket.write, rest)
            else:
                self._by_itself(socket, socket.flush)

    def _by_itself(self, socket: Socket, work: Callable[..., None], *arguments: bytes) -> None:
        """What a transport raises ends its own socket: no other may lose what it is to get in this turn."""
        try:
            work(*arguments)
        except Exception:
            if self._tracebacks.admit(self.clock()) == 0:
                log.exception("writing failed; connection %d is torn down", socket.id)
            socket.abort()

    def admit_half_open(self, entry: Due, address: str, shared: bool) -> bool:
        """Counts a socket before its handshake; False if there are too many. A `shared` address is a proxy's."""
        limit = self.settings.max_half_open_per_address
        if len(self.half_open) >= self.settings.max_half_open or (
            not shared and self._half_open_per_address[address] >= limit
        ):
            return False
        self.half_open.add(entry)
        self._half_open_per_address[address] += 1
        self.counters.half_open = len(self.half_open)
        self.wheel.set(entry, self.clock() + self.settings.handshake_seconds)
        return True

    def release_half_open(self, entry: Due, address: str) -> None:
        if entry in self.half_open:
            self.half_open.discard(entry)
            self.counters.half_open = len(self.half_open)
            _count_down(self._half_open_per_address, address)
            self._news.set()

    def queued_bytes(self) -> int:
        """What waits to be written to all clients. Looks at every socket."""
        return sum(socket.queued_bytes for socket in self.sockets)

    def is_full(self) -> bool:
        return len(self.sockets) >= self.settings.max_connections

    def is_full_for(self, address: str) -> bool:
        return self._per_address[address] >= self.settings.max_connections_per_address

    def add(self, socket: Socket, first_deadline: float) -> None:
        self.sockets.add(socket)
        self._per_address[socket.address] += 1
        self.counters.connections_open += 1
        self.counters.connections_total += 1
        self.wheel.set(socket, first_deadline)

    def remove(self, socket: Socket) -> None:
        """The socket is gone. Safe to call again."""
        if socket in self.sockets:
            self.sockets.discard(socket)
            self.counters.connections_open -= 1
            _count_down(self._per_address, socket.address)
            self.wheel.discard(socket)
            self._news.set()

    async def emptied(self) -> None:
        """Returns when no socket is left."""
        while self.sockets or self.half_open:
            self._news.clear()
            await self._news.wait()

    def abort_all(self) -> None:
        for socket in list(self.sockets):
            socket.abort()
        for half_open in list(self.half_open):
            half_open.due(self.clock())

    def report_end(self, socket: Connection, code: int) -> None:
        try:
            self.handler.disconnected(socket, code)
        except Exception:
            self.handler_failed(socket)

    def handler_failed(self, socket: Connection) -> None:
        """To be called where the handler raised: our fault, not the client's. A log entry, close 1011."""
        self.counters.handler_errors += 1
        if self._tracebacks.admit(self.clock()) == 0:
            log.exception("the message handler failed; connection %d is closed with 1011", socket.id)
        socket.close(CloseCode.INTERNAL_ERROR, "internal error")


def _count_down(counter: Counter[str], key: str) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]
