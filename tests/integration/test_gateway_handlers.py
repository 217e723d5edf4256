"""A gateway and whoever takes its messages: a handler that raises, keeps them, or is not there."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from unit.gateway.raw_websocket import (
    TEXT,
    RawWebSocket,
    Recorder,
    close_frame,
    frame,
    on_uvloop,
    serving,
)


@on_uvloop
async def test_a_handler_that_raises_costs_its_connection_only(caplog: pytest.LogCaptureFixture) -> None:
    handler = Recorder()

    def stumble(connection: Any, message: bytes) -> None:
        if message == b"stumble":
            raise RuntimeError("on purpose")
        connection.send(message)

    handler.on_message = stumble
    async with serving(handler) as gateway, RawWebSocket.open(gateway) as other:
        async with RawWebSocket.open(gateway) as client:
            client.send(frame(TEXT, b"before"), frame(TEXT, b"stumble"), frame(TEXT, b"after"))
            assert await client.message() == b"before"
            assert await client.close_code() == 1011
        other.send(frame(TEXT, b"still here"))
        assert await other.message() == b"still here"
        assert gateway.counters.handler_errors == 1
    assert caplog.text.count("the message handler failed") == 1
    assert handler.ended.count(1011) == 1


@pytest.mark.parametrize("method", ["connected", "disconnected"])
@on_uvloop
async def test_a_handler_that_raises_at_the_edges_does_no_harm(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = Recorder()

    def stumble(*_: object) -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(handler, method, stumble)
    async with serving(handler) as gateway:
        async with RawWebSocket.open(gateway) as client:
            if method == "connected":
                assert await client.close_code() == 1011
            client.send(close_frame(1000))
            await client.close_code() if method == "disconnected" else None
        monkeypatch.undo()
        async with RawWebSocket.open(gateway) as client:
            client.send(frame(TEXT, b"hello"))
            assert await client.message() == b"hello"


@on_uvloop
async def test_a_message_may_be_kept_after_the_handler_returned() -> None:
    kept: list[bytes] = []

    class Keeper(Recorder):
        def received(self, connection: Any, message: bytes) -> None:
            kept.append(message)
            super().received(connection, message)

    async with serving(Keeper()) as gateway, RawWebSocket.open(gateway) as client:
        for text in (b"first", b"second"):
            client.send(frame(TEXT, text))
            await client.message()
        assert kept == [b"first", b"second"]


# --- without a handler ---


@on_uvloop
async def test_without_a_handler_connections_and_messages_are_pulled() -> None:
    async with serving() as gateway, RawWebSocket.open(gateway) as client:
        connection = await gateway.accept()
        assert connection is not None
        connection.authenticated = True
        client.send(*(frame(TEXT, b"%d" % number) for number in range(500)))
        received = [await connection.receive() for _ in range(500)]
        assert received == [b"%d" % number for number in range(500)]
        connection.send(b"thanks")
        assert await client.message() == b"thanks"
        client.send(frame(TEXT, b"last"), close_frame(1000))
        assert [await connection.receive(), await connection.receive()] == [b"last", None]


@on_uvloop
async def test_an_inbox_that_is_not_emptied_stops_the_reading() -> None:
    async with serving() as gateway, RawWebSocket.open(gateway) as client:
        connection = await gateway.accept()
        assert connection is not None
        connection.authenticated = True
        message = frame(TEXT, b"x" * 1000)
        client.writer.transport.set_write_buffer_limits(high=0)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.3):  # until the kernel's buffers are full too
                while True:
                    client.send(message * 100)
                    await client.writer.drain()
        assert connection.inbox is not None
        assert len(connection.inbox) < 500
        assert await connection.receive() == b"x" * 1000
        client.writer.transport.abort()


@on_uvloop
async def test_accept_ends_with_the_gateway() -> None:
    async with serving() as gateway:
        waiting = asyncio.ensure_future(gateway.accept())
        await asyncio.sleep(0)
        await gateway.close()
        assert await waiting is None


@on_uvloop
async def test_with_a_handler_nothing_can_be_pulled() -> None:
    handler = Recorder()
    async with serving(handler) as gateway, RawWebSocket.open(gateway):
        await handler.until(lambda: bool(handler.connections))
        with pytest.raises(RuntimeError, match="without a handler"):
            await handler.connections[0].receive()
        with pytest.raises(RuntimeError, match="without a handler"):
            await gateway.accept()
