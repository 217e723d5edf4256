"""picows as a frame parser and nothing else: it reads, all that is written to the socket is ours.

picows' WSProtocol answers the upgrade itself (too freely), and on a broken frame it writes a CLOSE straight
to the socket, ahead of what our outbox holds. So it gets a stand-in for its transport and a canned upgrade
request, and what it writes is taken as a report. Written against picows 2.3, whose habits that matter here are
held by tests/unit/gateway/test_parser.py.

A parser takes 8 KiB and 20 µs to make. Between two frames it knows nothing of the connection that it served, so one serves all
whose reads end with a frame, and a connection has one for itself only while a frame is under way.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, MutableMapping
from typing import Any, Protocol

from picows import WSAutoPingStrategy, WSFrame, WSListener, WSTransport
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # there, but not in its stub

from palaver.signaling.rate_limit import Bucket

READ_BUFFER_BYTES = 16 * 1024
"""Holds an SDP of a browser. picows doubles it as needed and never gives back."""

LARGE_BUFFER_BYTES = 64 * 1024
"""A parser whose buffer has grown beyond this is not kept."""

_SPARE_PARSERS = 64
"""Kept for connections to come."""

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


def feed(protocol: Any, data: bytes | memoryview) -> int:
    """Gives the parser bytes that did not come through its own buffer; returns how many it has taken."""
    room = protocol.get_buffer(-1)
    size = min(len(room), len(data))
    room[:size] = data[:size]
    protocol.buffer_updated(size)
    return size


class FrameTaker(Protocol):
    """Whoever the parser reads for."""

    def take_frame(self, frame: WSFrame) -> None: ...

    def parser_broke(self, code: int, why: str) -> None:
        """The parser can read no further; a last good frame may still follow within this loop turn."""


class FrameParser(WSListener):
    """One parser of picows. It reads for `taker`, which may change whenever `rest` is 0."""

    __slots__ = ("broken", "max_frame_bytes", "protocol", "rest", "spent", "taker")

    def __init__(self, max_frame_bytes: int) -> None:
        self.max_frame_bytes = max_frame_bytes
        self.taker: FrameTaker
        self.rest = 0
        """Bytes that it holds of a frame that is not whole. To be set to all that came, before it is told what came."""
        self.broken = False
        """It has refused a frame, and must not be given any more."""
        self.spent = False
        """It has refused a frame, or its taker says that it has seen a CLOSE."""
        self.protocol = new_parser(self, max_frame_bytes, self._refuse)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        self.rest = frame.tail_size
        self.taker.take_frame(frame)

    def _refuse(self, code: int, why: str) -> None:
        self.broken = self.spent = True
        self.taker.parser_broke(code, why)


class ParserPool:
    """The parsers of a gateway. `at_hand` is for everybody whose last read ended with a frame. Needs a running event loop."""

    def __init__(self, max_frame_bytes: int) -> None:
        self._max_frame_bytes = max_frame_bytes
        self._spare: list[FrameParser] = []
        self.at_hand = FrameParser(max_frame_bytes)

    @property
    def spare(self) -> int:
        """How many are kept beside the one at hand."""
        return len(self._spare)

    def replace(self, parser: FrameParser) -> None:
        """Has another at hand instead of this one."""
        if parser is self.at_hand:
            self.at_hand = self._spare.pop() if self._spare else FrameParser(self._max_frame_bytes)

    def give_back(self, parser: FrameParser) -> None:
        """Takes a parser back. It goes unless it is as good as a new one."""
        if (
            parser.rest == 0
            and not parser.spent
            and parser.max_frame_bytes == self._max_frame_bytes
            and len(parser.protocol.get_buffer(-1)) <= LARGE_BUFFER_BYTES
            and len(self._spare) < _SPARE_PARSERS
        ):
            self._spare.append(parser)

    def set_max_frame_bytes(self, max_frame_bytes: int) -> None:
        """From now on; a frame that is under way keeps to what was before."""
        if max_frame_bytes != self._max_frame_bytes:
            self._max_frame_bytes = max_frame_bytes
            self._spare.clear()
            self.replace(self.at_hand)
