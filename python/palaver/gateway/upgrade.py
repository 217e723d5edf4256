"""A socket before its WebSocket: reads one HTTP request, bounded in bytes and time, and answers it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import cast

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
    """From accept to 101. Either it hands the socket to a WebSocketConnection, or it refuses and closes."""

    __slots__ = (
        "_answered",
        "_connected",
        "_head",
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
    ) -> None:
        self._table = table
        self._policy = policy
        self._connected = connected
        self._head = bytearray()
        self._answered = False
        self.wheel_slot = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        peer = self._transport.get_extra_info("peername")
        self._peer = (normal_address(peer[0]) or "") if isinstance(peer, tuple) else ""
        shared = self._policy.is_proxy(self._peer)
        if not self._table.admit_half_open(self, self._peer, shared):
            self._answered = True
            self._table.counters.refused[_NO_ANSWER] += 1
            self._transport.abort()

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
        if not self._answered:
            self._table.counters.refused[_NO_ANSWER] += 1
        self._transport.abort()
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
        self._transport.write(upgrade.response())
        connection = WebSocketConnection(self._table, self._transport, upgrade.address, upgrade.bearer)
        antechamber = connection.attach()
        self._connected(connection)
        if rest:
            antechamber.take(memoryview(rest))

    def _refuse(self, refusal: Refusal) -> None:
        self._answered = True
        self._table.counters.refused[int(refusal.status)] += 1
        log.debug("handshake from %s refused with %d: %s", self._peer, refusal.status, refusal.why)
        self._transport.write(refusal.response())
        self._head.clear()
        # As in WebSocketConnection: a plain close could cost the client the answer, if it still sends.
        if self._transport.can_write_eof():
            self._table.wheel.set(self, self._table.clock() + self._table.linger_seconds)
            self._transport.set_protocol(Drain(self, self._table.scratch))
            self._transport.write_eof()
        else:
            self._transport.close()

    def _give_up(self) -> None:
        self._answered = True
        self._table.counters.refused[_NO_ANSWER] += 1
        self._transport.abort()
