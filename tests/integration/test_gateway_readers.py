"""What a connection leaves behind serves the next one, and nothing of the first shows in it."""

from __future__ import annotations

import pytest

from unit.gateway.raw_websocket import (
    BINARY,
    CLOSE,
    TEXT,
    RawWebSocket,
    Recorder,
    close_frame,
    frame,
    on_uvloop,
    serving,
)


@on_uvloop
async def test_a_reader_serves_one_connection_after_the_other() -> None:
    handler = Recorder()
    async with serving(handler) as gateway:
        for opcode in (TEXT, BINARY, TEXT):
            async with RawWebSocket.open(gateway) as client:
                client.send(frame(opcode, b"hello"))
                assert await client.next_frame() == (opcode, b"hello")
                client.send(close_frame(1000))
                assert await client.next_frame() == (CLOSE, b"\x03\xe8")
            await gateway.table.emptied()
            assert len(gateway.table.spare_readers) == 1, "the same one, each time"
    assert handler.ended == [1000] * 3


@pytest.mark.parametrize(
    "left",
    [frame(TEXT, b"half of it")[:-3], frame(TEXT, b"x" * 5000), frame(0x3, b"no such opcode")],
    ids=["half a frame", "a grown buffer", "a broken rule"],
)
@on_uvloop
async def test_a_reader_that_is_not_as_new_goes(left: bytes) -> None:
    handler = Recorder()
    async with serving(handler) as gateway:
        async with RawWebSocket.open(gateway) as client:
            client.send(frame(TEXT, b"hello"))
            assert await client.message() == b"hello"
            client.send(left, close_frame(1000))
        await gateway.table.emptied()
        assert not gateway.table.spare_readers
        async with RawWebSocket.open(gateway) as client:
            client.send(frame(TEXT, b"hello again"))
            assert await client.message() == b"hello again"


@on_uvloop
async def test_a_message_that_was_begun_is_forgotten() -> None:
    async with serving(Recorder()) as gateway:
        async with RawWebSocket.open(gateway) as client:
            client.send(frame(TEXT, b"begun", final=False), close_frame(1000))
            assert await client.close_code() == 1000
        await gateway.table.emptied()
        assert len(gateway.table.spare_readers) == 1
        async with RawWebSocket.open(gateway) as client:
            client.send(frame(TEXT, b"whole"))
            assert await client.message() == b"whole"
