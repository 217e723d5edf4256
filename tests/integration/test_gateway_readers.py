"""All connections share parsers, and nothing of one shows in another."""

from __future__ import annotations

import pytest

from palaver.gateway.parser import LARGE_BUFFER_BYTES
from unit.gateway.raw_websocket import (
    BINARY,
    CLOSE,
    PING,
    TEXT,
    RawWebSocket,
    Recorder,
    close_frame,
    frame,
    on_uvloop,
    serving,
)


@on_uvloop
async def test_one_parser_serves_all_whose_reads_end_with_a_frame() -> None:
    handler = Recorder()
    async with serving(handler) as gateway:
        parser = gateway.table.parsers.at_hand
        async with RawWebSocket.open(gateway) as one, RawWebSocket.open(gateway) as other:
            for number in range(3):
                for client, opcode in ((one, TEXT), (other, BINARY)):
                    client.send(frame(opcode, b"%d" % number))
                    assert await client.next_frame() == (opcode, b"%d" % number)
            assert gateway.table.parsers.at_hand is parser
            assert gateway.table.parsers.spare == 0


@on_uvloop
async def test_who_is_in_the_middle_of_a_frame_holds_up_nobody() -> None:
    whole = frame(TEXT, b"begun early, ended late")
    async with serving(Recorder()) as gateway:
        async with RawWebSocket.open(gateway) as slow, RawWebSocket.open(gateway) as quick:
            slow.send(frame(TEXT, b"first"))
            assert await slow.message() == b"first"
            for at in range(1, len(whole)):
                slow.send(whole[at - 1 : at])
                quick.send(frame(BINARY, b"%d" % at))
                assert await quick.next_frame() == (BINARY, b"%d" % at)
            slow.send(whole[-1:])
            assert await slow.next_frame() == (TEXT, b"begun early, ended late")
        await gateway.table.emptied()
        assert gateway.table.parsers.spare == 1, "two were in use at a time"


@pytest.mark.parametrize(
    "left",
    [
        frame(TEXT, b"half of it")[:-3],
        frame(0x3, b"no such opcode"),
        close_frame(1000),
        frame(PING) + close_frame(1000),
    ],
    ids=["half a frame", "a broken rule", "a goodbye", "a ping and a goodbye"],
)
@on_uvloop
async def test_how_one_ends_is_nothing_to_another(left: bytes) -> None:
    async with serving(Recorder()) as gateway, RawWebSocket.open(gateway) as other:
        for number in range(3):
            async with RawWebSocket.open(gateway) as client:
                client.send(frame(TEXT, b"hello"))
                assert await client.message() == b"hello"
                client.send(left)
            other.send(frame(TEXT, b"%d" % number))
            assert await other.message() == b"%d" % number
        other.send(close_frame(1000))
        assert await other.next_frame() == (CLOSE, b"\x03\xe8")


@pytest.mark.parametrize("before", [b"", frame(PING, b"?")], ids=["alone", "behind a ping"])
@on_uvloop
async def test_a_goodbye_leaves_no_parser_behind(before: bytes) -> None:
    async with serving(Recorder()) as gateway:
        for _ in range(3):
            async with RawWebSocket.open(gateway) as client:
                client.send(frame(TEXT, b"hello"))
                assert await client.message() == b"hello"
                client.send(before + close_frame(1000))
                assert await client.close_code() == 1000
            await gateway.table.emptied()
        assert gateway.table.parsers.spare == 0


@on_uvloop
async def test_a_message_that_was_begun_is_forgotten() -> None:
    async with serving(Recorder()) as gateway:
        async with RawWebSocket.open(gateway) as client:
            client.send(frame(TEXT, b"begun", final=False), close_frame(1000))
            assert await client.close_code() == 1000
        async with RawWebSocket.open(gateway) as client:
            client.send(frame(TEXT, b"whole"))
            assert await client.message() == b"whole"


@on_uvloop
async def test_a_large_message_does_not_leave_a_large_buffer_behind() -> None:
    handler = Recorder(echo=False)
    async with serving(handler) as gateway, RawWebSocket.open(gateway) as client:
        parsers = gateway.table.parsers
        client.send(frame(TEXT, b"x" * 200_000))
        await handler.until(lambda: len(handler.messages) == 1)
        assert parsers.spare == 0
        assert len(parsers.at_hand.protocol.get_buffer(-1)) <= LARGE_BUFFER_BYTES
        client.send(frame(TEXT, b"next"))
        await handler.until(lambda: len(handler.messages) == 2)
        assert handler.messages[1] == b"next"


@on_uvloop
async def test_a_flood_of_small_messages_does_not_grow_the_buffer_for_good() -> None:
    handler = Recorder(echo=False)
    async with serving(handler) as gateway, RawWebSocket.open(gateway) as client:
        client.send(frame(TEXT, b"x" * 100) * 20_000)
        await handler.until(lambda: len(handler.messages) == 20_000)
        assert len(gateway.table.parsers.at_hand.protocol.get_buffer(-1)) <= LARGE_BUFFER_BYTES
