"""One WebSocket connection (RFC 6455), on picows: reassembly, strictness and the close handshake are ours.

The listener is called synchronously as frames arrive. After `connect` you must call `close`, or wait for
`on_close`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from collections.abc import Callable
from typing import Protocol

from picows import (
    WSError,
    WSFrame,
    WSHandshakeError,
    WSListener,
    WSMsgType,
    WSTransport,
    ws_connect,
)

from palaver.client.errors import ConnectionLost
from palaver.protocol.close_codes import CloseCode

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""The snapshot of a room of a thousand participants, each with the largest attributes, stays below."""
CLOSE_SECONDS = 2.0
"""How long the other side has to answer our CLOSE before the connection is cut."""
_picows_log = logging.getLogger("palaver.client.picows")
_picows_log.setLevel(logging.WARNING)  # it tells of every connection
SUBPROTOCOL = "palaver.v1"


def _reason(error: Exception) -> str:
    """The system's words for an errno: asyncio's have the call and the address in them, which the caller knows."""
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return str(error) or "no answer in time"


class WebSocketListener(Protocol):
    def on_message(self, message: bytes, binary: bool) -> None: ...

    def on_close(self, error: ConnectionLost) -> None:
        """The last call."""


class WebSocket(WSListener):
    """`send` and `close` never raise and never block. Nothing is delivered after `close`, but `on_close` is."""

    def __init__(self, listener: WebSocketListener) -> None:
        self._listener = listener
        self._transport: WSTransport | None = None
        self._loop = asyncio.get_running_loop()
        self._parts: list[bytes] = []
        self._size = 0
        self._binary = False
        self._ending: ConnectionLost | None = None
        self._cut: asyncio.TimerHandle | None = None
        self._ended = False

    @classmethod
    async def connect(
        cls,
        url: str,
        listener: WebSocketListener,
        *,
        seconds: float = 10.0,
        tls: ssl.SSLContext | None = None,
        headers: dict[str, str] | None = None,
    ) -> WebSocket:
        """Raises: ConnectionLost."""
        factory: Callable[[], WebSocket] = lambda: cls(listener)  # noqa: E731
        try:
            _, socket = await ws_connect(
                factory,
                url,
                ssl_context=tls,
                websocket_handshake_timeout=seconds,
                max_frame_size=MAX_MESSAGE_BYTES,
                max_redirects=0,
                logger_name=_picows_log,
                extra_headers={"Sec-WebSocket-Protocol": SUBPROTOCOL, **(headers or {})},
            )
        except WSHandshakeError as error:
            status = f" (HTTP {error.response.status.value})" if error.response is not None else ""
            raise ConnectionLost(1006, f"{url} does not answer as a palaver node{status}") from error
        except (OSError, WSError, TimeoutError) as error:
            raise ConnectionLost(1006, f"cannot connect to {url}: {_reason(error)}") from error
        assert isinstance(socket, WebSocket)
        return socket

    def send(self, message: bytes, binary: bool) -> None:
        if self._transport is not None and self._ending is None:
            self._transport.send(WSMsgType.BINARY if binary else WSMsgType.TEXT, message)

    def close(self, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """Starts the close handshake; `on_close` reports this code."""
        if self._ending is not None or self._transport is None:
            return
        self._ending = ConnectionLost(code, reason)
        self._send_close(code, reason)
        self._cut = self._loop.call_later(CLOSE_SECONDS, self._transport.disconnect, False)

    # what picows calls

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if kind == WSMsgType.CLOSE:
            self._closed_by_server(frame)
        elif self._ending is not None:
            return
        elif frame.rsv1 or frame.rsv2 or frame.rsv3:
            self._fail(CloseCode.PROTOCOL_ERROR, "reserved bits are set")
        elif kind in (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION):
            self._part(frame, kind)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        if self._cut is not None:
            self._cut.cancel()
        if not self._ended:
            self._ended = True
            self._listener.on_close(self._ending or ConnectionLost(1006))

    # details

    def _part(self, frame: WSFrame, kind: WSMsgType) -> None:
        if (kind == WSMsgType.CONTINUATION) != bool(self._parts):
            self._fail(CloseCode.PROTOCOL_ERROR, "a fragment is out of order")
            return
        payload = frame.get_payload_as_bytes()
        if kind != WSMsgType.CONTINUATION:
            self._binary = kind == WSMsgType.BINARY
            if frame.fin:
                self._listener.on_message(payload, self._binary)
                return
        self._parts.append(payload)
        self._size += len(payload)
        if self._size > MAX_MESSAGE_BYTES:
            self._fail(CloseCode.TOO_BIG, "a message is too big")
        elif frame.fin:
            message = b"".join(self._parts)
            self._parts, self._size = [], 0
            self._listener.on_message(message, self._binary)

    def _closed_by_server(self, frame: WSFrame) -> None:
        payload = frame.get_payload_as_bytes()
        code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else 1005
        if self._ending is None:
            self._ending = ConnectionLost(code, payload[2:].decode("utf-8", "replace"))
            self._send_close(code if code != 1005 else CloseCode.NORMAL, "")
        if self._transport is not None:
            self._transport.disconnect()

    def _fail(self, code: CloseCode, reason: str) -> None:
        self.close(code, reason)

    def _send_close(self, code: int, reason: str) -> None:
        # A reason has 123 bytes at most (RFC 6455 § 5.5); send_close knows only the RFC's codes.
        assert self._transport is not None, "only a connected socket is closed"
        body = code.to_bytes(2, "big") + reason.encode()[:123]
        self._transport.send(WSMsgType.CLOSE, body)
