"""picows as a frame parser and nothing else: it reads, all that is written to the socket is ours.

picows' WSProtocol answers the upgrade itself (too freely), and on a broken frame it writes a CLOSE straight
to the socket, ahead of what our outbox holds. So it gets a stand-in for its transport and a canned upgrade
request, and what it writes is taken as a report. Written against picows 2.3, whose habits that matter here are
held by tests/unit/gateway/test_parser.py.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, MutableMapping
from typing import Any

from picows import WSAutoPingStrategy, WSListener
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # there, but not in its stub

from palaver.signaling.rate_limit import Bucket

READ_BUFFER_BYTES = 4 * 1024
"""Holds a 2 KB SDP. picows doubles it as needed and never gives back (see WebSocketConnection on renewal)."""

_SPARE_BYTES = 256
"""What picows leaves free at the end of its buffer."""

_UPGRADE_REQUEST = (
    b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
_CLOSE_FIRST_BYTE = 0x88

log = logging.getLogger("palaver.gateway.parser")


class _QuietLogger(logging.LoggerAdapter[logging.Logger]):
    """Lets nothing through but tracebacks, a few: broken frames are the clients', and counted elsewhere."""

    _allowed = Bucket(rate=1.0, burst=10.0)

    def log(self, level: int, msg: object, *args: Any, **kwargs: Any) -> None:
        if kwargs.get("exc_info") and self._allowed.admit(time.monotonic()) == 0:
            super().log(level, msg, *args, **kwargs)

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 — the name of logging's method
        return False

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        return msg, kwargs


_LOGGER = _QuietLogger(log)


class _NoSocket:
    """Takes picows' socket options; the event loop has set TCP_NODELAY already."""

    def fileno(self) -> int:
        return -1

    def setsockopt(self, *_: int) -> None: ...

    def getsockopt(self, *_: int) -> int:
        return 0


_NO_SOCKET = _NoSocket()


class _Report:
    """Stands where picows expects its transport. The only frame that picows writes by itself is a CLOSE."""

    __slots__ = ("_broken",)

    def __init__(self, broken: Callable[[int, str], None]) -> None:
        self._broken = broken

    def get_extra_info(self, name: str) -> _NoSocket | None:
        return _NO_SOCKET if name == "socket" else None

    def get_write_buffer_size(self) -> int:
        return 1  # so that picows calls write, and never send(2) on the descriptor

    def write(self, data: bytes | bytearray) -> None:
        if data[0] == _CLOSE_FIRST_BYTE:
            code = int.from_bytes(data[2:4], "big")
            self._broken(code, bytes(data[4:]).decode("utf-8", "replace"))

    def close(self) -> None: ...

    def abort(self) -> None: ...


def new_parser(listener: WSListener, max_frame_bytes: int, broken: Callable[[int, str], None]) -> Any:
    """Returns a BufferedProtocol that calls `listener.on_ws_frame` for each frame put into its buffer.

    `broken(code, why)` reports a frame that picows refuses, once. As picows parses one frame ahead, that may
    come before `on_ws_frame` of the last good frame, never after it.
    """
    protocol = WSProtocol(
        None,  # host_port
        None,  # ws_path
        False,  # is_client_side
        lambda _request: listener,
        _LOGGER,
        True,  # disconnect_on_exception
        None,  # websocket_handshake_timeout
        False,  # enable_auto_ping
        20.0,
        20.0,
        WSAutoPingStrategy.PING_WHEN_IDLE,
        False,  # enable_auto_pong
        max_frame_bytes,
        None,  # extra_headers
        READ_BUFFER_BYTES,
    )
    protocol.connection_made(_Report(broken))
    feed(protocol, _UPGRADE_REQUEST)
    return protocol


def begin_again(protocol: Any, broken: Callable[[int, str], None]) -> None:
    """Makes a parser that `is_as_new` forget the CLOSE that it has seen."""
    protocol.connection_made(_Report(broken))


def is_as_new(protocol: Any) -> bool:
    """Whether it holds no byte of a frame, and its buffer has never grown."""
    return len(protocol.get_buffer(-1)) == READ_BUFFER_BYTES - _SPARE_BYTES


def feed(protocol: Any, data: bytes | memoryview) -> int:
    """Gives the parser bytes that did not come through its own buffer; returns how many it has taken."""
    room = protocol.get_buffer(-1)
    size = min(len(room), len(data))
    room[:size] = data[:size]
    protocol.buffer_updated(size)
    return size
