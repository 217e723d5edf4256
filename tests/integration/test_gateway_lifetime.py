"""Slow readers, silence, missing tokens, and the end of the node."""

from __future__ import annotations

import asyncio
import gc
import resource
import socket
import weakref
from typing import Any

import pytest

from palaver.gateway import ClientGateway
from unit.gateway.raw_websocket import (
    PATIENCE,
    PING,
    PONG,
    TEXT,
    Clock,
    RawWebSocket,
    Recorder,
    close_frame,
    frame,
    on_uvloop,
    request,
    serving,
    until,
)

KIB = 1024


async def turns(count: int = 5) -> None:
    """Lets the loop turn a few times, so that what is ready happens."""
    for _ in range(count):
        await asyncio.sleep(0)


async def pass_time(gateway: ClientGateway, clock: Clock, seconds: float) -> None:
    """Moves the clock in steps of a tick, as the timer would have seen it, with a few loop turns between."""
    tick = gateway.table.wheel.tick
    for _ in range(round(seconds / tick)):
        clock.now += tick
        gateway.table.tick()
        await turns(3)


# --- a reader that does not read ---


class NeverReads:
    """A client socket with a small window that is never read from."""

    def __init__(self, gateway: ClientGateway) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.setblocking(False)
        self.address = gateway.address

    async def __aenter__(self) -> socket.socket:
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self.socket, self.address)
        await loop.sock_sendall(self.socket, request() + frame(TEXT, b"hello"))
        return self.socket

    async def __aexit__(self, *_: object) -> None:
        self.socket.close()


async def fill(connection: Any, droppable: bool, count: int, size: int = 8 * KIB) -> int:
    """Sends to a connection, some each turn; returns the most that was ever queued."""
    message, most = b"x" * size, 0
    for _ in range(count):
        connection.send(message, droppable)
        most = max(most, connection.queued_bytes)
        await asyncio.sleep(0)
    return most


@on_uvloop
async def test_droppable_messages_are_shed_and_memory_stays_flat_for_a_reader_that_never_reads() -> None:
    handler = Recorder(echo=False)
    async with serving(handler) as gateway, NeverReads(gateway):
        await handler.until(lambda: bool(handler.messages))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        most = await fill(handler.connections[0], droppable=True, count=5_000)  # 40 MiB
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert gateway.counters.shed > 4_000
        assert most < 256 * KIB + 16 * KIB
        assert after - before < 4 * KIB, "KiB of memory for 40 MiB that were sent"
        assert handler.ended == []


@on_uvloop
async def test_a_reader_that_never_reads_is_closed_with_4002() -> None:
    handler, clock = Recorder(echo=False), Clock()
    async with serving(handler, clock) as gateway, NeverReads(gateway):
        await handler.until(lambda: bool(handler.messages))
        connection = handler.connections[0]
        most = await fill(connection, droppable=False, count=1_000)
        assert most < 1024 * KIB + 16 * KIB
        await handler.until(lambda: bool(handler.ended))
        assert handler.ended == [4002]
        assert connection.queued_bytes < 300 * KIB, "the queue is dropped at once"
        await pass_time(gateway, clock, 1.0)
        await until(lambda: gateway.counters.connections_open == 0)
        assert connection.queued_bytes == 0


@on_uvloop
async def test_a_slow_reader_that_reads_again_is_read_from_again() -> None:
    handler = Recorder(echo=False)
    async with serving(handler) as gateway, NeverReads(gateway) as client:
        await handler.until(lambda: bool(handler.messages))
        connection = handler.connections[0]
        while not gateway.counters.slow_readers:
            await fill(connection, droppable=True, count=10)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(client, frame(TEXT, b"is anybody there?"))
        await turns(20)
        assert handler.messages == [b"hello"], "nothing is read from it meanwhile"
        assert connection.is_slow
        while len(handler.messages) < 2:
            await loop.sock_recv(client, 64 * KIB)
        assert not connection.is_slow
        assert gateway.counters.slow_readers == 1


@on_uvloop
async def test_a_slow_reader_gets_whole_frames_and_its_close() -> None:
    handler = Recorder(echo=False)
    async with serving(handler) as gateway, RawWebSocket.open(gateway) as client:
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await handler.until(lambda: bool(handler.connections))
        await fill(handler.connections[0], droppable=False, count=4_000)
        client.writer.transport.resume_reading()  # type: ignore[attr-defined]
        assert await client.close_code() == 4002


@on_uvloop
async def test_much_at_once_is_no_slow_reader() -> None:
    handler = Recorder(echo=False)
    async with serving(handler) as gateway, RawWebSocket.open(gateway) as client:
        await handler.until(lambda: bool(handler.connections))
        for _ in range(3):
            handler.connections[0].send(b"x" * 200 * KIB)
        assert [len(await client.message()) for _ in range(3)] == [200 * KIB] * 3
        assert handler.ended == []


@on_uvloop
async def test_what_is_sent_in_one_turn_leaves_in_one_write() -> None:
    handler = Recorder(echo=False)
    async with serving(handler) as gateway, RawWebSocket.open(gateway) as client:
        await handler.until(lambda: bool(handler.connections))
        connection = handler.connections[0]
        for number in range(100):
            connection.send(b"%d" % number)
        assert gateway.counters.bytes_out == 0
        await turns(1)
        assert gateway.counters.bytes_out == sum(2 + len(b"%d" % number) for number in range(100))
        assert [await client.message() for _ in range(100)] == [b"%d" % number for number in range(100)]


# --- time ---


@on_uvloop
async def test_without_a_token_in_time_the_connection_is_closed_with_4501() -> None:
    handler, clock = Recorder(trusting=False), Clock()
    async with (
        serving(handler, clock, handshake_seconds=5.0) as gateway,
        RawWebSocket.open(gateway) as client,
    ):
        await handler.until(lambda: bool(handler.connections))
        await pass_time(gateway, clock, 4.5)
        await turns()
        assert handler.ended == []
        await pass_time(gateway, clock, 1.0)
        assert await client.close_code() == 4501
        assert client.reason == "no token within 5 s"
        assert handler.ended == [4501]


@on_uvloop
async def test_an_authenticated_connection_has_all_the_time() -> None:
    handler, clock = Recorder(), Clock()
    async with serving(handler, clock) as gateway, RawWebSocket.open(gateway) as client:
        await handler.until(lambda: bool(handler.connections))
        await pass_time(gateway, clock, 20.0)
        client.send(frame(TEXT, b"hello"))
        assert await client.next_frame() == (PING, b"")


@on_uvloop
async def test_an_idle_client_that_answers_its_pings_stays_for_ever() -> None:
    handler, clock = Recorder(), Clock()
    async with serving(handler, clock, ping_ms=10_000) as gateway, RawWebSocket.open(gateway) as client:
        await handler.until(lambda: bool(handler.connections))
        for answered in range(1, 6):
            while gateway.counters.pings_out < answered:
                await pass_time(gateway, clock, 0.5)
            assert await client.next_frame() == (PING, b"")
            client.send(frame(PONG))
            await until(lambda answered=answered: gateway.counters.pongs_in == answered)  # type: ignore[misc]
        assert clock.now > 1000 + 5 * 10
        assert gateway.counters.pongs_unsolicited == 0
        assert handler.ended == []


@on_uvloop
async def test_a_client_that_is_silent_for_two_and_a_half_pings_is_closed_with_4003() -> None:
    handler, clock = Recorder(), Clock()
    async with serving(handler, clock, ping_ms=10_000) as gateway, RawWebSocket.open(gateway) as client:
        await handler.until(lambda: bool(handler.connections))
        await pass_time(gateway, clock, 25.0)
        await turns()
        assert handler.ended == []
        await pass_time(gateway, clock, 10.5)
        assert await client.close_code() == 4003
        assert handler.ended == [4003]


@on_uvloop
async def test_a_frame_that_takes_long_to_arrive_is_a_sign_of_life() -> None:
    handler, clock = Recorder(), Clock()
    async with serving(handler, clock, ping_ms=10_000) as gateway, RawWebSocket.open(gateway) as client:
        client.send(frame(TEXT, b"go"))
        await client.message()
        whole = frame(TEXT, b"x" * 100)
        for byte in whole:
            client.send(bytes((byte,)))
            parser = handler.connections[0]._transport.get_protocol()
            room = len(parser.get_buffer(-1))
            if byte is not whole[-1]:
                await until(lambda parser=parser, room=room: len(parser.get_buffer(-1)) != room)  # type: ignore[misc]
            await pass_time(gateway, clock, 2.0)
        await handler.until(lambda: len(handler.messages) == 2)
        assert handler.ended == []


# --- the end ---


@on_uvloop
async def test_a_closing_node_tells_every_client_and_waits_for_them() -> None:
    handler = Recorder()
    async with serving(handler, close_seconds=PATIENCE) as gateway:
        async with RawWebSocket.open(gateway) as one, RawWebSocket.open(gateway) as two:
            await handler.until(lambda: len(handler.connections) == 2)
            closing = asyncio.ensure_future(gateway.close(reason="see node-b"))
            for client in (one, two):
                assert await client.close_code() == 4001
                assert client.reason == "see node-b"
            assert not closing.done()
            for client in (one, two):
                client.send(close_frame(4001))
            await closing
        assert handler.ended == [4001, 4001]
        assert gateway.counters.connections_open == 0
        assert len(gateway.table.wheel) == 0


@on_uvloop
async def test_a_closing_node_does_not_wait_for_ever() -> None:
    handler = Recorder()
    async with serving(handler, close_seconds=0.1) as gateway, RawWebSocket.open(gateway):
        await handler.until(lambda: bool(handler.connections))
        await gateway.close()
        assert gateway.counters.connections_open == 0


@on_uvloop
async def test_closes_can_be_spread_over_time() -> None:
    handler = Recorder()
    async with serving(handler) as gateway:
        clients = [RawWebSocket.open(gateway) for _ in range(4)]
        sockets = [await client.__aenter__() for client in clients]
        await handler.until(lambda: len(handler.connections) == 4)
        closing = asyncio.ensure_future(gateway.close(spread_seconds=0.2))
        await turns()
        assert len(handler.ended) < 4
        assert [await client.close_code() for client in sockets] == [4001] * 4
        for client in sockets:
            client.send(close_frame(4001))
        await closing
        for manager in clients:
            await manager.__aexit__(None, None, None)


@on_uvloop
async def test_a_second_close_does_not_wait_for_the_spread_of_the_first() -> None:
    handler = Recorder()
    async with (
        serving(handler) as gateway,
        RawWebSocket.open(gateway) as one,
        RawWebSocket.open(gateway) as two,
    ):
        await handler.until(lambda: len(handler.connections) == 2)
        first = asyncio.ensure_future(gateway.close(spread_seconds=3600.0))
        await turns()
        assert len(handler.ended) == 1
        for client in (one, two):
            client.send(close_frame(4001))
        await gateway.close()
        first.cancel()
        assert sorted([await one.close_code(), await two.close_code()]) == [4001, 4001]


@on_uvloop
async def test_run_serves_until_close() -> None:
    handler = Recorder()
    async with serving() as other:
        host, _ = other.address
    gateway = ClientGateway(other.settings, handler, close_seconds=0.2)
    running = asyncio.ensure_future(gateway.run(host, 0))
    await until(lambda: gateway.is_serving)
    async with RawWebSocket.open(gateway) as client:
        client.send(frame(TEXT, b"hello"))
        assert await client.message() == b"hello"
        client.send(close_frame(1000))
        await client.close_code()
    await gateway.close()
    await running


@on_uvloop
async def test_a_connection_that_is_gone_leaves_nothing_behind() -> None:
    handler = Recorder()
    async with serving(handler) as gateway:
        for ending in (close_frame(1000), frame(3), b""):
            async with RawWebSocket.open(gateway) as client:
                client.send(frame(TEXT, b"hello"), ending)
                await client.message()
            await until(lambda: gateway.counters.connections_open == 0)
        assert len(gateway.table.wheel) == 0
        remains = [weakref.ref(connection) for connection in handler.connections]
        handler.connections.clear()
        await until(lambda: not gc.collect() and not any(reference() for reference in remains))


@pytest.mark.parametrize("clients", [50])
@on_uvloop
async def test_many_connections_are_counted_and_numbered(clients: int) -> None:
    handler = Recorder()
    async with serving(handler) as gateway:
        managers = [RawWebSocket.open(gateway) for _ in range(clients)]
        for manager in managers:
            await manager.__aenter__()
        await handler.until(lambda: len(handler.connections) == clients)
        assert len({connection.id for connection in handler.connections}) == clients
        assert gateway.counters.connections_open == gateway.counters.connections_total == clients
        for manager in managers:
            await manager.__aexit__(None, None, None)
        await handler.until(lambda: len(handler.ended) == clients)
        assert gateway.counters.connections_open == 0
