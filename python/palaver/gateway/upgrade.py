"""A socket before its WebSocket: TLS, then one HTTP request, all bounded in bytes and time, and its answer."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, cast

from palaver.gateway.connection import WebSocketConnection
from palaver.gateway.drain import Drain
from palaver.gateway.handshake import (
    MAX_HEAD_BYTES,
    Refusal,
    Request,
    Upgrade,
    decide,
    head_is_hopeless,
    parse_request,
)
from palaver.gateway.policy import HandshakePolicy, normal_address
from palaver.gateway.table import ConnectionTable, log

_NO_ANSWER = 0


class HalfOpen(asyncio.BufferedProtocol):
    """From accept to 101. Either it hands the socket to a WebSocketConnection, or it refuses and closes.

    It is counted and timed from `open`, so that a client which never finishes its TLS handshake is one of the silent
    ones, too.
    """

    __slots__ = (
        "_answered",
        "_connected",
        "_descriptor",
        "_head",
        "_opening",
        "_peer",
        "_policy",
        "_table",
        "_transport",
        "wheel_slot",
    )

    def __init__(
        self,
        table: ConnectionTable,
        policy: HandshakePolicy,
        connected: Callable[[WebSocketConnection], None],
        peer: str,
    ) -> None:
        self._table = table
        self._peer = normal_address(peer) or ""
        self._transport: asyncio.Transport | None = None
        self._opening: asyncio.Task[Any] | None = None
        self._policy = policy
        self._connected = connected
        self._descriptor = -1
        self._head = bytearray()
        self._answered = False
        self.wheel_slot = -1

    def open(self, client: socket.socket, secure: ssl.SSLContext | None) -> None:
        """Begins with an accepted socket; closes it where there are too many half-open ones."""
        self._descriptor = -1 if secure else client.fileno()
        table = self._table
        if not table.admit_half_open(self, self._peer, self._policy.is_proxy(self._peer)):
            table.counters.refused[_NO_ANSWER] += 1
            client.close()
            return
        # The wheel ends what takes too long; asyncio's own limit only has to come after that.
        limits = {"ssl_handshake_timeout": 2 * table.settings.handshake_seconds} if secure else {}
        limits |= {"ssl_shutdown_timeout": table.linger_seconds} if secure else {}
        opening = table.loop.connect_accepted_socket(lambda: self, client, ssl=secure, **limits)
        self._opening = table.loop.create_task(opening, name="half-open socket")
        self._opening.add_done_callback(self._opened)

    def _opened(self, opening: asyncio.Task[Any]) -> None:
        self._opening = None
        if opening.cancelled():
            self.lost()
        elif (error := opening.exception()) is not None:
            # No TLS with it, or it has gone already.
            log.debug("no connection with %s: %s", self._peer, error)
            if not self._answered:
                self._give_up()
            self.lost()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._table.scratch

    def buffer_updated(self, nbytes: int) -> None:
        if self._answered:
            return
        searched = max(0, len(self._head) - 3)
        self._head += self._table.scratch[:nbytes]
        if head_is_hopeless(self._head):
            self._give_up()
            return
        end = self._head.find(b"\r\n\r\n", searched)
        if end > MAX_HEAD_BYTES or (end < 0 and len(self._head) > MAX_HEAD_BYTES):
            self._refuse(Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the request head is too large"))
        elif end >= 0:
            self._decide(bytes(self._head[:end]), bytes(self._head[end + 4 :]))

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost()

    def due(self, now: float) -> float | None:
        if self._answered:
            self._abort()
        else:
            self._give_up()
        return None

    def lost(self) -> None:
        self._table.wheel.discard(self)
        self._table.release_half_open(self, self._peer)

    def pause_writing(self) -> None: ...

    def resume_writing(self) -> None: ...

    def _decide(self, head: bytes, rest: bytes) -> None:
        request = parse_request(head)
        answer = decide(request, self._peer, self._policy) if isinstance(request, Request) else request
        if isinstance(answer, Upgrade):
            answer = self._room_for(answer)
        if isinstance(answer, Refusal):
            self._refuse(answer)
        else:
            self._upgrade(answer, rest)

    def _room_for(self, upgrade: Upgrade) -> Upgrade | Refusal:
        retry = (("Retry-After", "5"),)
        if self._table.closing:
            return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "this node is shutting down", retry)
        if self._table.draining:
            return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "this node is draining", retry)
        if self._table.is_full():
            return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "this node is full", retry)
        if self._table.is_full_for(upgrade.address):
            return Refusal(HTTPStatus.TOO_MANY_REQUESTS, "too many connections from this address", retry)
        return upgrade

    def _upgrade(self, upgrade: Upgrade, rest: bytes) -> None:
        self._answered = True
        self.lost()
        transport = self._made()
        transport.write(upgrade.response())
        connection = WebSocketConnection(
            self._table, transport, upgrade.address, upgrade.bearer, upgrade.host
        )
        antechamber = connection.attach(self._descriptor)
        self._connected(connection)
        if rest:
            antechamber.take(memoryview(rest))

    def _refuse(self, refusal: Refusal) -> None:
        self._answered = True
        self._table.counters.refused[int(refusal.status)] += 1
        log.debug("handshake from %s refused with %d: %s", self._peer, refusal.status, refusal.why)
        transport = self._made()
        transport.write(refusal.response())
        self._head.clear()
        # As in WebSocketConnection: a plain close could cost the client the answer, if it still sends.
        if transport.can_write_eof():
            self._table.wheel.set(self, self._table.clock() + self._table.linger_seconds)
            transport.set_protocol(Drain(self, self._table.scratch))
            transport.write_eof()
        else:
            transport.close()

    def _made(self) -> asyncio.Transport:
        assert self._transport is not None, "bytes come after connection_made only"
        return self._transport

    def _give_up(self) -> None:
        self._answered = True
        self._table.counters.refused[_NO_ANSWER] += 1
        self._abort()

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
        elif self._opening is not None:
            self._opening.cancel()
