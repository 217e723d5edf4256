"""The TURN credentials that clients are handed, shown to a real coturn with `use-auth-secret`."""

from __future__ import annotations

import asyncio
import shutil
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aioice import stun, turn

from harness.settings import node_settings
from palaver.protocol.types import IceServer
from palaver.rooms.session_manager import SessionManager
from palaver.settings import LiveSettings
from palaver.signaling.stream_router import StreamRouter

TURNSERVER = shutil.which("turnserver")
SECRET = "the secret that coturn shares with us"

pytestmark = pytest.mark.skipif(TURNSERVER is None, reason="turnserver is not installed (Debian: coturn)")


def free_port() -> int:
    """A port that was free a moment ago, for UDP and TCP; turnserver does not tell which one it took."""
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        port: int = tcp.getsockname()[1]
        udp.bind(("127.0.0.1", port))
        return port


@asynccontextmanager
async def coturn(directory: Path) -> AsyncIterator[tuple[str, int]]:
    """A TURN server on loopback; its address."""
    assert TURNSERVER is not None
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        TURNSERVER,
        *("-n", "--use-auth-secret", f"--static-auth-secret={SECRET}", "--realm=palaver.test"),
        *("--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", f"--listening-port={port}"),
        *("--no-tls", "--no-dtls", "--no-cli", "--log-file=stdout", "--simple-log", "--verbose"),
        # With more, two of them may each take a client's first packets for a session of its own, with its own nonce.
        "--relay-threads=1",
        *(f"--userdb={directory / 'turndb'}", f"--pidfile={directory / 'pid'}"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=directory,
    )
    assert process.stdout is not None
    drained: asyncio.Task[bytes] | None = None
    try:
        async with asyncio.timeout(20):
            while b"UDP listener opened on" not in (line := await process.stdout.readline()):
                assert line, "turnserver has ended"
        drained = asyncio.create_task(process.stdout.read())  # so that it never waits for us
        yield "127.0.0.1", port
    finally:
        process.kill()
        await process.wait()
        if drained is not None:
            await drained


def minted(address: tuple[str, int], secret: str = SECRET, wall: float | None = None) -> IceServer:
    """What a client named alice is handed."""
    host, port = address
    media = {"turn_servers": (f"turn:{host}:{port}?transport=udp",), "turn_secret": secret}
    settings = node_settings(media={**media, "turn_ttl_seconds": 600.0})
    sessions = SessionManager(
        settings.limits, settings.rooms, lambda n: bytes(n), lambda room: ("node", 1), time.monotonic
    )
    router = StreamRouter(sessions, {}, LiveSettings(settings), lambda: time.time() if wall is None else wall)
    (server,) = router.ice_servers("alice")
    assert server.urls == [f"turn:{host}:{port}?transport=udp"]
    return server


async def allocate(address: tuple[str, int], server: IceServer) -> tuple[str, int]:
    """Allocates a relay address (RFC 8656 § 7), and gives it back."""
    async with asyncio.timeout(20):
        transport, _ = await turn.create_turn_endpoint(
            asyncio.DatagramProtocol, address, server.username, server.credential
        )
        relayed: tuple[str, int] = transport.get_extra_info("sockname")
        transport.close()
        return relayed


async def test_a_client_may_allocate_with_what_it_was_handed(tmp_path: Path) -> None:
    async with coturn(tmp_path) as address:
        host, port = await allocate(address, minted(address))
        assert host == "127.0.0.1"
        assert port != address[1]


@pytest.mark.parametrize(
    ("secret", "age"), [("another secret", 0.0), (SECRET, 3600.0)], ids=["wrong secret", "expired"]
)
async def test_coturn_refuses_credentials_of_another_secret_and_of_yesterday(
    tmp_path: Path, secret: str, age: float
) -> None:
    async with coturn(tmp_path) as address:
        with pytest.raises(stun.TransactionFailed) as failed:
            await allocate(address, minted(address, secret, time.time() - age))
        code, _ = failed.value.response.attributes["ERROR-CODE"]
        assert code == 401
