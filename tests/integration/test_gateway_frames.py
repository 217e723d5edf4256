"""Frames over real sockets: the Frames lines of the reliability list."""

from __future__ import annotations

from typing import Any

import pytest

from unit.gateway.raw_websocket import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Clock,
    RawWebSocket,
    Recorder,
    close_frame,
    frame,
    on_uvloop,
    serving,
)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        pytest.param(frame(TEXT, b"x", masked=False), 1002, id="unmasked"),
        pytest.param(frame(TEXT, b"x", reserved=1), 1002, id="RSV3"),
        pytest.param(frame(TEXT, b"x", reserved=2), 1002, id="RSV2"),
        pytest.param(frame(TEXT, b"x", reserved=4), 1002, id="RSV1"),
        pytest.param(frame(PING, b"x", reserved=4), 1002, id="RSV1 on a ping"),
        pytest.param(frame(TEXT, b"x", final=False) + frame(0, b"y", reserved=4), 1002, id="RSV1 later"),
        *(
            pytest.param(frame(op, b"x"), 1002, id=f"opcode {op}")
            for op in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)
        ),
        pytest.param(frame(TEXT, b"x", length_code=126), 1002, id="length in 2 bytes that fits in 7 bits"),
        pytest.param(frame(TEXT, b"x" * 200, length_code=127), 1002, id="length in 8 bytes that fits in 2"),
        pytest.param(bytes.fromhex("81ffffffffffffffffff00000000"), 1002, id="length above 2^63"),
        pytest.param(frame(PING, b"x" * 126), 1002, id="ping of 126 bytes"),
        pytest.param(frame(CLOSE, b"\x03\xe8" + b"x" * 124), 1002, id="close of 126 bytes"),
        pytest.param(frame(PING, b"x", final=False), 1002, id="fragmented ping"),
        pytest.param(frame(CONTINUATION, b"x"), 1002, id="continuation of nothing"),
        pytest.param(
            frame(TEXT, b"x", final=False) + frame(TEXT, b"y"), 1002, id="a new message inside another"
        ),
        pytest.param(
            frame(TEXT, b"x", final=False) + frame(CONTINUATION, b"y") + frame(CONTINUATION, b"z"),
            1002,
            id="continuation after the end",
        ),
        pytest.param(frame(TEXT, b"a") + frame(BINARY, b"b"), 1003, id="binary after text"),
        pytest.param(frame(BINARY, b"a") + frame(TEXT, b"b"), 1003, id="text after binary"),
        pytest.param(
            frame(BINARY, b"a") + frame(TEXT, b"b", final=False), 1003, id="split text after binary"
        ),
        pytest.param(frame(TEXT, b"\xff"), 1007, id="invalid UTF-8"),
        pytest.param(frame(TEXT, b"\xed\xa0\x80"), 1007, id="a surrogate"),
        pytest.param(frame(TEXT, b"ok\xe2\x82"), 1007, id="UTF-8 cut short"),
        pytest.param(
            frame(TEXT, b"ok", final=False) + frame(0, b"\xff", final=False), 1007, id="bad fragment"
        ),
        pytest.param(
            frame(TEXT, b"\xe2", final=False) + frame(0, b"\x28", final=False), 1007, id="bad split character"
        ),
        pytest.param(frame(TEXT, b"x" * 1001), 1009, id="frame over the limit"),
        pytest.param(
            frame(TEXT, b"x" * 600, final=False) + frame(0, b"x" * 401, final=False),
            1009,
            id="fragments over the message limit",
        ),
        pytest.param(
            frame(TEXT, b"", final=False) + frame(0, b"", final=False) * 8, 1009, id="too many fragments"
        ),
        pytest.param(bytes.fromhex("81ff7fffffffffffffff00000000"), 1009, id="a frame of exabytes"),
        pytest.param(frame(CLOSE, b"x"), 1002, id="half a close code"),
        *(pytest.param(close_frame(code), 1002, id=f"close {code}") for code in (0, 999, 1004, 1005, 1006)),
        *(
            pytest.param(close_frame(code), 1002, id=f"close {code}")
            for code in (1015, 1016, 2999, 5000, 65535)
        ),
        pytest.param(close_frame(1000, b"\xff"), 1007, id="close reason is not UTF-8"),
    ],
)
@pytest.mark.parametrize("trusting", [True, False], ids=["after the token", "before the token"])
@on_uvloop
async def test_a_broken_rule_closes_with_its_code(sent: bytes, code: int, trusting: bool) -> None:
    handler = Recorder(trusting)
    limits: dict[str, Any] = {
        "max_message_bytes": 1000,
        "max_message_bytes_before_auth": 1000,
        "max_fragments": 8,
    }
    async with serving(handler, **limits) as gateway:
        async with RawWebSocket.open(gateway) as client:
            client.send(sent, frame(TEXT, b"never seen"))
            assert await client.close_code() == code
            await client.ended()
        await handler.until(lambda: bool(handler.ended))
        assert handler.ended == [code]
        assert b"never seen" not in handler.messages
        assert gateway.counters.closes == {code: 1}


@on_uvloop
async def test_the_good_frame_before_a_broken_one_is_answered_first() -> None:
    async with serving(Recorder()) as gateway, RawWebSocket.open(gateway) as client:
        client.send(frame(TEXT, b"good") + frame(3))
        assert await client.message() == b"good"
        assert await client.close_code() == 1002


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 262_144])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@on_uvloop
async def test_messages_of_every_length_form_come_back(size: int, opcode: int) -> None:
    async with serving(Recorder()) as gateway, RawWebSocket.open(gateway) as client:
        client.send(frame(opcode, b"x" * size))
        assert await client.next_frame() == (opcode, b"x" * size)


@on_uvloop
async def test_a_fragmented_message_with_a_ping_in_between_comes_back_whole() -> None:
    async with serving(Recorder()) as gateway, RawWebSocket.open(gateway) as client:
        client.send(frame(TEXT, "grü".encode()[:3], final=False), frame(PING, b"p"))
        client.send(frame(CONTINUATION, "grü".encode()[3:], final=False), frame(CONTINUATION, b"n"))
        assert await client.next_frame() == (PONG, b"p")
        assert await client.next_frame() == (TEXT, "grün".encode())


@on_uvloop
async def test_sixty_thousand_fragments_of_one_byte_are_capped() -> None:
    async with serving(Recorder()) as gateway, RawWebSocket.open(gateway) as client:
        client.send(frame(TEXT, b"a", final=False), frame(CONTINUATION, b"a", final=False) * 65_000)
        assert await client.close_code() == 1009


@on_uvloop
async def test_bad_text_is_refused_before_its_message_ends() -> None:
    async with serving(Recorder()) as gateway, RawWebSocket.open(gateway) as client:
        client.send(frame(TEXT, b"good", final=False))
        client.send(frame(CONTINUATION, b"\xff", final=False))  # and no more follows
        assert await client.close_code() == 1007


# --- limits before and after the token ---


@on_uvloop
async def test_a_stranger_may_send_little_and_an_authenticated_client_more() -> None:
    handler = Recorder(trusting=False)
    handler.on_message = lambda connection, message: setattr(connection, "authenticated", message == b"token")
    limits: dict[str, Any] = {"max_message_bytes_before_auth": 100, "max_message_bytes": 50_000}
    async with serving(handler, **limits) as gateway:
        async with RawWebSocket.open(gateway) as client:
            client.send(frame(TEXT, b"x" * 101))
            assert await client.close_code() == 1009
        async with RawWebSocket.open(gateway) as client:
            client.send(frame(TEXT, b"token") + frame(TEXT, b"x" * 50_000) + frame(TEXT, b"x" * 50_001))
            assert await client.close_code() == 1009
    assert [len(message) for message in handler.messages] == [5, 50_000]


@on_uvloop
async def test_a_stranger_cannot_make_the_node_buffer_a_large_frame() -> None:
    async with serving(Recorder(trusting=False)) as gateway, RawWebSocket.open(gateway) as client:
        client.send(frame(TEXT, b"x" * 200_000)[:14])  # the header alone
        assert await client.close_code() == 1009


@on_uvloop
async def test_fragments_do_not_help_a_stranger() -> None:
    async with serving(Recorder(trusting=False)) as gateway, RawWebSocket.open(gateway) as client:
        client.send(frame(TEXT, b"x" * 3000, final=False), frame(CONTINUATION, b"x" * 3000))
        assert await client.close_code() == 1009


# --- control frames ---


@on_uvloop
async def test_pings_are_answered_in_order_with_their_payload() -> None:
    async with serving(Recorder()) as gateway, RawWebSocket.open(gateway) as client:
        payloads = [b"", b"a", b"\xff" * 125]
        client.send(*(frame(PING, payload) for payload in payloads))
        assert [await client.next_frame() for _ in payloads] == [(PONG, payload) for payload in payloads]


@pytest.mark.parametrize("opcode", [PING, PONG])
@on_uvloop
async def test_a_flood_of_control_frames_is_rate_limited(opcode: int) -> None:
    async with (
        serving(Recorder(), Clock(), control_frames_per_second=20) as gateway,
        RawWebSocket.open(gateway) as client,
    ):
        client.send(frame(opcode, b"x") * 21)
        assert await client.close_code() == 4013


@on_uvloop
async def test_control_frames_within_the_rate_are_welcome_for_ever() -> None:
    clock = Clock()
    async with (
        serving(Recorder(), clock, control_frames_per_second=20) as gateway,
        RawWebSocket.open(gateway) as client,
    ):
        for _ in range(10):
            client.send(frame(PING, b"x") * 20)
            for _ in range(20):
                assert await client.next_frame() == (PONG, b"x")
            clock.now += 1.0


@on_uvloop
async def test_unsolicited_pongs_are_ignored_and_counted() -> None:
    async with serving(Recorder()) as gateway, RawWebSocket.open(gateway) as client:
        client.send(frame(PONG, b"who asked?"), frame(TEXT, b"hello"))
        assert await client.next_frame() == (TEXT, b"hello")
        assert gateway.counters.pongs_unsolicited == 1


# --- closing ---


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1011, 3000, 3999, 4000, 4999])
@on_uvloop
async def test_a_close_is_echoed_and_reported(code: int) -> None:
    handler = Recorder()
    async with serving(handler) as gateway, RawWebSocket.open(gateway) as client:
        client.send(close_frame(code, b"bye"))
        assert await client.close_code() == code
        await client.ended()
        assert handler.ended == [code]


@on_uvloop
async def test_a_close_without_a_code_is_answered_without_one() -> None:
    handler = Recorder()
    async with serving(handler) as gateway, RawWebSocket.open(gateway) as client:
        client.send(frame(CLOSE))
        assert await client.next_frame() == (CLOSE, b"")
        await client.ended()
        assert handler.ended == [1005]


@on_uvloop
async def test_data_after_close_is_ignored() -> None:
    handler = Recorder()
    async with serving(handler) as gateway, RawWebSocket.open(gateway) as client:
        client.send(close_frame(1000), frame(TEXT, b"late"), frame(3), frame(PING, b"late") * 1000)
        assert await client.next_frame() == (CLOSE, b"\x03\xe8")
        await client.ended()
        assert handler.messages == []
        assert handler.ended == [1000]


@on_uvloop
async def test_a_socket_that_goes_without_a_close_is_reported_as_1006() -> None:
    handler = Recorder()
    async with serving(handler) as gateway:
        async with RawWebSocket.open(gateway) as client:
            client.send(frame(TEXT, b"hello"))
            await client.message()
        await handler.until(lambda: bool(handler.ended))
        assert handler.ended == [1006]
        assert gateway.counters.connections_open == 0


@on_uvloop
async def test_what_was_queued_before_a_close_arrives_and_what_comes_after_does_not() -> None:
    handler = Recorder()

    def leave(connection: Any, message: bytes) -> None:
        connection.send(b"first")
        connection.send(b"second")
        connection.close(4502, "kicked")
        connection.send(b"third")
        connection.close(4001, "too late")

    handler.on_message = leave
    async with serving(handler) as gateway, RawWebSocket.open(gateway) as client:
        client.send(frame(TEXT, b"go"), frame(TEXT, b"not read any more"))
        assert [await client.message(), await client.message()] == [b"first", b"second"]
        assert await client.close_code() == 4502
        assert client.reason == "kicked"
        client.send(close_frame(4502))
        await client.ended()
        assert handler.messages == [b"go"]
        assert handler.ended == [4502]


@on_uvloop
async def test_a_peer_that_never_answers_a_close_is_cut_off_in_time() -> None:
    handler, clock = Recorder(), Clock()
    async with serving(handler, clock, close_seconds=3.0) as gateway, RawWebSocket.open(gateway) as client:
        await handler.until(lambda: bool(handler.connections))
        handler.connections[0].close(4001)
        assert await client.close_code() == 4001
        clock.now += 3.5
        gateway.table.tick()
        await client.ended()


@on_uvloop
async def test_a_close_code_that_may_not_be_sent_becomes_1011() -> None:
    handler = Recorder()
    async with serving(handler) as gateway, RawWebSocket.open(gateway) as client:
        await handler.until(lambda: bool(handler.connections))
        handler.connections[0].close(1006, "never on the wire")
        assert await client.close_code() == 1011
