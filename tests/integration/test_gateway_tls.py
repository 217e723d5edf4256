"""TLS before the upgrade: it belongs to the time and the number of half-open sockets."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from palaver.gateway import ClientGateway
from unit.gateway.raw_websocket import (
    PATIENCE,
    TEXT,
    Clock,
    RawWebSocket,
    Recorder,
    ask,
    frame,
    on_uvloop,
    request,
    serving,
    until,
)


@pytest.fixture
def tls(tmp_path: Path) -> dict[str, str]:
    """Settings of a gateway with a certificate for 127.0.0.1."""
    return certificate(tmp_path, trustme.CA())


def certificate(directory: Path, authority: trustme.CA) -> dict[str, str]:
    issued = authority.issue_cert("127.0.0.1")
    chain, key = directory / "cert.pem", directory / "key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(key)
    return {"tls_certificate": str(chain), "tls_key": str(key)}


def trusting_anybody() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def client_hello() -> bytes:
    """The first flight of a TLS client, as the ssl module writes it."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = trusting_anybody().wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


async def read_to_the_end(reader: asyncio.StreamReader) -> None:
    async with asyncio.timeout(PATIENCE):
        with contextlib.suppress(ConnectionResetError):
            await reader.read()


@pytest.mark.parametrize("said", ["nothing", "half a hello", "a hello and no more"])
@on_uvloop
async def test_an_unfinished_tls_handshake_is_counted_and_closed_when_its_time_is_over(
    tls: dict[str, str], said: str
) -> None:
    clock, hello = Clock(), client_hello()
    words = {"nothing": b"", "half a hello": hello[: len(hello) // 2], "a hello and no more": hello}[said]
    async with serving(Recorder(), clock, handshake_seconds=5.0, **tls) as gateway:
        reader, writer = await asyncio.open_connection(*gateway.address)
        writer.write(words)
        await until(lambda: gateway.counters.half_open == 1)
        if said == "a hello and no more":
            assert await reader.read(1), "the server has answered: only the client's part is missing"
        clock.now += 4.9
        gateway.table.tick()
        assert gateway.counters.half_open == 1
        clock.now += 0.5
        gateway.table.tick()
        await read_to_the_end(reader)
        await until(lambda: gateway.counters.half_open == 0)
        assert gateway.counters.refused == {0: 1}
        writer.close()


@on_uvloop
async def test_tls_takes_no_second_helping_of_the_handshake_time(tls: dict[str, str]) -> None:
    clock = Clock()
    async with serving(Recorder(), clock, handshake_seconds=5.0, **tls) as gateway:
        reader, writer = await asyncio.open_connection(*gateway.address)
        await until(lambda: gateway.counters.half_open == 1)
        clock.now += 4.0
        gateway.table.tick()
        await writer.start_tls(trusting_anybody(), server_hostname="127.0.0.1")
        writer.write(request()[:20])
        await writer.drain()
        clock.now += 1.5
        gateway.table.tick()
        await read_to_the_end(reader)
        assert gateway.counters.refused == {0: 1}
        writer.close()


@pytest.mark.parametrize("cap", ["max_half_open", "max_half_open_per_address"])
@on_uvloop
async def test_unfinished_tls_handshakes_count_against_the_caps(tls: dict[str, str], cap: str) -> None:
    async with serving(Recorder(), **{cap: 2}, **tls) as gateway:
        waiting = [await asyncio.open_connection(*gateway.address) for _ in range(2)]
        await until(lambda: gateway.counters.half_open == 2)
        assert (await ask(gateway, client_hello())).status == 0
        waiting[0][1].close()
        await until(lambda: gateway.counters.half_open == 1)
        async with RawWebSocket.open(gateway, ssl=trusting_anybody()) as client:
            client.send(frame(TEXT, b"hello"))
            assert await client.message() == b"hello"
        waiting[1][1].close()


@on_uvloop
async def test_a_failed_tls_handshake_leaves_nothing_behind(
    tls: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(Recorder(), **tls) as gateway:
        assert (await ask(gateway, request())).status == 0
        _, writer = await asyncio.open_connection(*gateway.address)
        writer.write(client_hello()[:40])
        await until(lambda: gateway.counters.half_open == 1)
        writer.transport.abort()
        await until(lambda: gateway.counters.half_open == 0)
        assert len(gateway.table.wheel) == 0
        assert [task for task in asyncio.all_tasks() if task.get_name() == "half-open socket"] == []
    assert [each.message for each in caplog.records if each.levelname != "DEBUG"] == []


@on_uvloop
async def test_a_closing_node_does_not_wait_for_tls_handshakes(tls: dict[str, str]) -> None:
    async with serving(Recorder(), close_seconds=PATIENCE, **tls) as gateway:
        reader, writer = await asyncio.open_connection(*gateway.address)
        await until(lambda: gateway.counters.half_open == 1)
        await gateway.close()
        await read_to_the_end(reader)
        assert gateway.counters.half_open == 0
        writer.close()


@on_uvloop
async def test_a_certificate_is_exchanged_under_load(tmp_path: Path) -> None:
    """Connections made before, during and after the exchange all get their echoes; each sees one of the two."""
    handler = Recorder()
    first, second = trustme.CA(), trustme.CA()
    settings = certificate(tmp_path, first)
    async with serving(handler, **settings) as gateway, talking(gateway, first) as old:
        talk = asyncio.create_task(echoes(old, b"hello"))
        newcomers = [asyncio.create_task(visit(gateway, (first, second))) for _ in range(10)]
        certificate(tmp_path, second)
        gateway.reconfigure(gateway.settings)
        newcomers += [asyncio.create_task(visit(gateway, (second,))) for _ in range(10)]
        await asyncio.gather(talk, *newcomers)
        with pytest.raises(ssl.SSLCertVerificationError):
            await visit(gateway, (first,))
        await echoes(old, b"still here")


@on_uvloop
async def test_a_client_that_only_listens_is_sent_everything_at_once_over_tls(tls: dict[str, str]) -> None:
    handler = Recorder()
    async with (
        serving(handler, **tls) as gateway,
        RawWebSocket.open(gateway, ssl=trusting_anybody()) as client,
    ):
        await handler.until(lambda: bool(handler.connections))
        for number in range(5):
            handler.connections[0].send(b"%d" % number)
            assert await client.message() == b"%d" % number


@contextlib.asynccontextmanager
async def talking(gateway: ClientGateway, *authorities: trustme.CA) -> Any:
    context = ssl.create_default_context()
    for authority in authorities:
        authority.configure_trust(context)
    async with RawWebSocket.open(gateway, ssl=context) as client:
        yield client


async def visit(gateway: ClientGateway, authorities: tuple[trustme.CA, ...]) -> None:
    async with talking(gateway, *authorities) as client:
        await echoes(client, b"hello")


async def echoes(client: RawWebSocket, word: bytes) -> None:
    for _ in range(20):
        client.send(frame(TEXT, word))
        assert await client.message() == word
