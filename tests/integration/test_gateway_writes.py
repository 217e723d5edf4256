"""Sockets that fail when the gateway writes to them, in the loop turn in which it writes to others too."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import socket
import struct
from collections.abc import AsyncIterator
from typing import Any

import pytest

from palaver.gateway import ClientGateway
from palaver.gateway.table import WRITE_BYTES
from unit.gateway.raw_websocket import (
    PATIENCE,
    TEXT,
    RawWebSocket,
    Recorder,
    close_frame,
    frame,
    on_uvloop,
    request,
    serving,
    until,
)

LONG = b"x" * (WRITE_BYTES + 1)
"""Goes out through the transport, after those that go straight to the descriptor."""
SHORT = b"short"


class Peer:
    """A client whose socket is a plain one, so that the test says to the call what it does, and when."""

    def __init__(self, plain: socket.socket, handler: Recorder) -> None:
        self.socket = plain
        self.connection: Any = handler.connections[-1]

    def reset(self) -> None:
        """Ends with RST instead of FIN (SO_LINGER with 0 seconds). When this returns, the node's kernel has it, not its loop."""
        arrival = select.poll()
        arrival.register(
            self.connection._transport.get_extra_info("socket"), 0
        )  # POLLERR and POLLHUP come unasked
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()
        assert arrival.poll(PATIENCE * 1000)


@contextlib.asynccontextmanager
async def peer(gateway: ClientGateway, handler: Recorder) -> AsyncIterator[Peer]:
    """An upgraded one."""
    before, loop = len(handler.connections), asyncio.get_running_loop()
    with socket.socket() as plain:
        plain.setblocking(False)
        await loop.sock_connect(plain, gateway.address)
        await loop.sock_sendall(plain, request())
        await handler.until(lambda: len(handler.connections) > before)
        yield Peer(plain, handler)


@contextlib.asynccontextmanager
async def two_that_fail_and_two_others(
    handler: Recorder,
) -> AsyncIterator[tuple[ClientGateway, tuple[Peer, Peer], tuple[RawWebSocket, RawWebSocket]]]:
    """In this order the gateway writes to them: the others come after those that fail."""
    async with (
        serving(handler) as gateway,
        peer(gateway, handler) as one,
        peer(gateway, handler) as two,
        RawWebSocket.open(gateway) as three,
        RawWebSocket.open(gateway) as four,
    ):
        await handler.until(lambda: len(handler.connections) == 4)
        yield gateway, (one, two), (three, four)


def failures(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname in ("WARNING", "ERROR")]


class RaisingTransport:
    """A connection's own transport, but for writes: those raise, which no loop of today can be made to do."""

    def __init__(self, own: asyncio.Transport) -> None:
        self._own = own

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)

    def write(self, data: bytes) -> None:
        raise OSError("no transport that we know raises this")


@pytest.mark.parametrize("message", [SHORT, LONG], ids=["short", "long"])
@on_uvloop
async def test_a_transport_that_raises_ends_its_own_socket_and_no_other(
    message: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    handler = Recorder(echo=False)
    async with two_that_fail_and_two_others(handler) as (gateway, failing, others):
        for one in failing:
            one.connection._transport = RaisingTransport(one.connection._transport)
            one.reset()  # so the descriptor takes nothing, and even what is short goes to the transport
        for connection in handler.connections:
            connection.send(message)
        assert [await other.message() for other in others] == [message, message]
        await until(lambda: gateway.counters.connections_open == 2)
        assert handler.ended == [1006, 1006]
    assert failures(caplog) == [
        f"writing failed; connection {one.connection.id} is torn down" for one in failing
    ]


async def scene_of_a_byte_that_the_socket_did_not_take() -> None:
    """It is left to the transport, and the reader is there again before the loop has looked."""
    handler, loop = Recorder(echo=False), asyncio.get_running_loop()
    async with serving(handler) as gateway, peer(gateway, handler) as slow:
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += await asyncio.wait_for(loop.sock_recv(slow.socket, 1 << 16), PATIENCE)
        filled = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                filled += os.write(slow.connection.descriptor, bytes(1 << 16))
        slow.connection.write(b"1")
        readable = select.poll()
        readable.register(slow.socket, select.POLLIN)
        while filled:
            assert readable.poll(PATIENCE * 1000)
            filled -= len(slow.socket.recv(filled))
        assert slow.connection.send(b"2")
        rest = b""
        while len(rest) < 4:
            rest += await asyncio.wait_for(loop.sock_recv(slow.socket, 4), PATIENCE)
        assert rest == b"1\x81\x012"


@on_uvloop
async def test_nothing_overtakes_the_last_byte_in_a_transport_of_uvloop() -> None:
    await scene_of_a_byte_that_the_socket_did_not_take()


def test_nothing_overtakes_the_last_byte_in_a_transport_of_asyncio() -> None:
    asyncio.run(scene_of_a_byte_that_the_socket_did_not_take())


@on_uvloop
async def test_peers_that_have_reset_their_sockets_keep_nothing_from_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    handler = Recorder(echo=False)
    async with two_that_fail_and_two_others(handler) as (gateway, failing, others):
        for gone in failing:
            gone.reset()
        for connection, message in zip(handler.connections, (SHORT, LONG, SHORT, LONG), strict=True):
            assert connection.send(message), "the loop has not looked yet, so nobody knows"
        assert [await other.message() for other in others] == [SHORT, LONG]
        await until(lambda: gateway.counters.connections_open == 2)
        assert handler.ended == [1006, 1006]
    assert failures(caplog) == []


@pytest.mark.parametrize("message", [SHORT, LONG], ids=["short", "long"])
def test_a_peer_that_answers_our_close_and_resets_is_no_failure(
    message: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """On asyncio's own loop, whose half-close raises ENOTCONN where the peer has gone."""

    async def scene() -> None:
        handler = Recorder(echo=False)
        async with (
            serving(handler) as gateway,
            peer(gateway, handler) as leaving,
            RawWebSocket.open(gateway) as other,
        ):
            await handler.until(lambda: len(handler.connections) == 2)
            leaving.connection.close(1000)
            await handler.until(lambda: handler.ended == [1000])
            await asyncio.get_running_loop().sock_sendall(leaving.socket, close_frame(1000))
            leaving.reset()  # its CLOSE can still be read, and the socket cannot be shut down any more
            await until(lambda: not leaving.connection.takes_frames)
            handler.connections[1].send(message)
            assert await other.message() == message
            await until(lambda: gateway.counters.connections_open == 1)
            other.send(frame(TEXT, b"and on it goes"))
            await handler.until(lambda: handler.messages == [b"and on it goes"])

    asyncio.run(scene())
    assert failures(caplog) == []
