"""Requests over real sockets: what is answered, and what is closed in time."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path

import pytest
import trustme

from palaver.errors import SettingsError, StartError
from palaver.gateway import ClientGateway
from palaver.gateway.handshake import MAX_HEAD_BYTES
from palaver.settings.tree import GatewaySettings
from unit.gateway.raw_websocket import (
    KEY,
    PATIENCE,
    PING,
    TEXT,
    Clock,
    RawWebSocket,
    Recorder,
    ask,
    frame,
    on_uvloop,
    request,
    serving,
)


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        pytest.param(request(without=["Sec-WebSocket-Key"]), 400, id="no key"),
        pytest.param(request(replace={"Sec-WebSocket-Key": "dG9vIHNob3J0"}), 400, id="short key"),
        pytest.param(request(extra=[("Sec-WebSocket-Key", KEY)]), 400, id="duplicate key"),
        pytest.param(request(replace={"Sec-WebSocket-Version": "8"}), 426, id="version 8"),
        pytest.param(request(without=["Host"]), 400, id="no Host"),
        pytest.param(request("http://localhost/v1"), 400, id="absolute-form target"),
        pytest.param(request(without=["Upgrade"]), 426, id="no Upgrade"),
        pytest.param(request(method="POST", extra=[("Content-Length", "4")]) + b"body", 405, id="POST"),
        pytest.param(request(version="HTTP/1.0"), 505, id="HTTP/1.0"),
        pytest.param(request(extra=[("Content-Length", "4")]) + b"body", 400, id="a body"),
        pytest.param(request(extra=[("X-A", "a\0b")]), 400, id="NUL in a header"),
        pytest.param(request(extra=[("X-A", "a\r\n b")]), 400, id="folded header"),
        pytest.param(request(extra=[("X-A", "é")]), 400, id="non-ASCII header"),
        pytest.param(request(extra=[("X-A", "a")] * 3000), 431, id="3,000 headers"),
        pytest.param(request(extra=[("X-A", "a" * MAX_HEAD_BYTES)]), 431, id="a huge header"),
        pytest.param(request()[:-2] + b"X-A: " + b"a" * 10 * MAX_HEAD_BYTES, 431, id="endless header"),
        pytest.param(request("/elsewhere"), 404, id="unknown path"),
        pytest.param(request(extra=[("Origin", "https://evil.example")]), 403, id="another origin"),
        pytest.param(request(extra=[("Origin", "null")]), 403, id="origin null"),
        pytest.param(request(extra=[("Origin", "https://app.example")] * 2), 403, id="two origins"),
        pytest.param(request(extra=[("Origin", "https://app.example.evil.example")]), 403, id="look-alike"),
        pytest.param(
            request(extra=[("Origin", "https://app.example:8443")]), 403, id="origin on another port"
        ),
        pytest.param(request(extra=[("Sec-WebSocket-Protocol", "chat")]), 400, id="unknown subprotocol"),
    ],
)
@on_uvloop
async def test_a_bad_request_gets_its_answer_and_the_socket_is_closed(raw: bytes, status: int) -> None:
    handler = Recorder()
    async with serving(handler, origins=("https://app.example",)) as gateway:
        answer = await ask(gateway, raw)
        assert answer.status == status
        assert answer.headers["connection"] in ("close", "Upgrade")
        assert gateway.counters.refused == {status: 1}
        assert handler.connections == []
        async with RawWebSocket.open(gateway) as client:  # and it still serves
            client.send(frame(TEXT, b"hello"))
            assert await client.message() == b"hello"


@on_uvloop
async def test_a_refused_version_is_told_the_right_one() -> None:
    async with serving(Recorder()) as gateway:
        answer = await ask(gateway, request(replace={"Sec-WebSocket-Version": "14"}))
        assert (answer.status, answer.headers["sec-websocket-version"]) == (426, "13")


@on_uvloop
async def test_a_tls_hello_on_the_plain_port_is_closed_at_once() -> None:
    clock = Clock()  # stands still: no deadline does it
    async with serving(Recorder(), clock) as gateway:
        assert (await ask(gateway, bytes.fromhex("160301020001000001fc0303") + bytes(500))).status == 0


@on_uvloop
async def test_a_silent_socket_is_closed_when_the_handshake_time_is_over() -> None:
    clock = Clock()
    async with serving(Recorder(), clock, handshake_seconds=5.0) as gateway:
        reader, writer = await asyncio.open_connection(*gateway.address)
        await _until(lambda: gateway.counters.half_open == 1)
        clock.now += 4.9
        gateway.table.tick()
        assert gateway.counters.half_open == 1
        clock.now += 0.5
        gateway.table.tick()
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        await _until(lambda: gateway.counters.half_open == 0)
        writer.close()


@on_uvloop
async def test_a_request_that_trickles_in_gets_no_more_time() -> None:
    clock = Clock()
    async with serving(Recorder(), clock, handshake_seconds=5.0) as gateway:
        reader, writer = await asyncio.open_connection(*gateway.address)
        for byte in request()[:8]:
            writer.write(bytes((byte,)))
            await _until(lambda: gateway.counters.half_open == 1)
            clock.now += 0.7
            gateway.table.tick()
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()


@on_uvloop
async def test_a_request_in_single_bytes_is_upgraded() -> None:
    async with serving(Recorder()) as gateway:
        reader, writer = await asyncio.open_connection(*gateway.address)
        for byte in request():
            writer.write(bytes((byte,)))
            await asyncio.sleep(0)
        async with asyncio.timeout(PATIENCE):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        writer.close()


@on_uvloop
async def test_bytes_after_the_request_are_frames() -> None:
    then = frame(PING, b"p") + frame(TEXT, b"hello") + frame(TEXT, b"split")[:3]
    async with serving(Recorder()) as gateway, RawWebSocket.open(gateway, then=then) as client:
        client.send(frame(TEXT, b"split")[3:])
        assert [await client.next_frame() for _ in range(3)] == [
            (10, b"p"),
            (TEXT, b"hello"),
            (TEXT, b"split"),
        ]


@on_uvloop
async def test_subprotocol_and_token_reach_their_places() -> None:
    handler = Recorder()
    raw = request(extra=[("Sec-WebSocket-Protocol", "palaver.v1, bearer.aaa.bbb.ccc")])
    async with serving(handler) as gateway, RawWebSocket.open(gateway, raw) as client:
        assert client.answer.headers["sec-websocket-protocol"] == "palaver.v1"
        await handler.until(lambda: bool(handler.connections))
        assert handler.connections[0].bearer == "aaa.bbb.ccc"
        assert handler.connections[0].address == "127.0.0.1"


@on_uvloop
async def test_a_token_is_never_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    async with serving(Recorder(), token_in_query=True) as gateway:
        protocols = ("Sec-WebSocket-Protocol", "palaver.v1, bearer.sesame")
        async with RawWebSocket.open(gateway, request("/v1?token=sesame")):
            pass
        async with RawWebSocket.open(gateway, request(extra=[protocols])):
            pass
        await ask(gateway, request("/v2?token=sesame", extra=[protocols]))
    assert "sesame" not in caplog.text


@on_uvloop
async def test_forwarded_addresses_are_believed_from_trusted_proxies_only() -> None:
    raw = request(extra=[("X-Forwarded-For", "203.0.113.9")])
    for proxies, address in (((), "127.0.0.1"), (("127.0.0.0/8",), "203.0.113.9")):
        handler = Recorder()
        async with serving(handler, trusted_proxies=proxies) as gateway, RawWebSocket.open(gateway, raw):
            await handler.until(lambda handler=handler: bool(handler.connections))  # type: ignore[misc]
            assert handler.connections[0].address == address


# --- caps ---


@on_uvloop
async def test_half_open_sockets_beyond_the_cap_are_closed_at_once() -> None:
    async with serving(Recorder(), max_half_open=2) as gateway:
        waiting = [await asyncio.open_connection(*gateway.address) for _ in range(2)]
        await _until(lambda: gateway.counters.half_open == 2)
        assert (await ask(gateway, request())).status == 0
        waiting[0][1].close()
        await _until(lambda: gateway.counters.half_open == 1)
        async with RawWebSocket.open(gateway):
            pass
        waiting[1][1].close()


@on_uvloop
async def test_half_open_sockets_of_one_address_are_capped() -> None:
    async with serving(Recorder(), max_half_open_per_address=1) as gateway:
        _, writer = await asyncio.open_connection(*gateway.address)
        await _until(lambda: gateway.counters.half_open == 1)
        assert (await ask(gateway, request())).status == 0
        writer.close()


@on_uvloop
async def test_a_full_node_answers_503() -> None:
    async with serving(Recorder(), max_connections=1) as gateway, RawWebSocket.open(gateway):
        answer = await ask(gateway, request())
        assert (answer.status, "retry-after" in answer.headers) == (503, True)


@on_uvloop
async def test_one_address_cannot_take_all_connections() -> None:
    async with serving(Recorder(), max_connections_per_address=1) as gateway:
        async with RawWebSocket.open(gateway):
            assert (await ask(gateway, request())).status == 429
        await _until(lambda: gateway.counters.connections_open == 0)
        async with RawWebSocket.open(gateway):
            pass


# --- start ---


@on_uvloop
async def test_a_taken_port_is_told_in_one_sentence() -> None:
    async with serving(Recorder()) as gateway:
        host, port = gateway.address
        second = ClientGateway(GatewaySettings(host=host, port=port), Recorder())
        with pytest.raises(StartError, match=rf"{host}:{port}: the port is taken; .*gateway\.port"):
            await second.start()


@on_uvloop
async def test_an_address_of_another_machine_is_told_in_one_sentence() -> None:
    with pytest.raises(StartError, match=r"cannot listen on 192\.0\.2\.1:0: .*gateway\.host"):
        await ClientGateway(GatewaySettings(host="192.0.2.1", port=0), Recorder()).start()


@on_uvloop
async def test_tls_is_spoken_where_a_certificate_is_set(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(key)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    settings = {"tls_certificate": str(certificate), "tls_key": str(key)}
    async with serving(Recorder(), **settings) as gateway:
        async with RawWebSocket.open(gateway, then=frame(TEXT, b"first"), ssl=context) as client:
            large = b"x" * 200_000
            client.send(frame(TEXT, large))
            assert await client.message() == b"first"
            assert await client.message() == large
            client.send(frame(8, b"\x03\xe8"))
            assert await client.close_code() == 1000
            await client.ended()
        assert (await ask(gateway, request())).status == 0  # plain HTTP on the TLS port


def test_a_certificate_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    settings = GatewaySettings(tls_certificate=str(tmp_path / "none.pem"))
    with pytest.raises(SettingsError, match=r"gateway\.tls_certificate"):
        ClientGateway(settings, Recorder())


async def _until(condition: object) -> None:
    assert callable(condition)
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0)
