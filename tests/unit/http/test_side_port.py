from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from palaver.errors import StartError
from palaver.http import SidePort
from palaver.http.pages import PAGE_FILES, policy
from palaver.observe import MetricsExporter, counters
from palaver.settings.tree import HttpSettings

GATEWAY = "ws://127.0.0.1:7880/v1"


class Node:
    """What the side port asks of a node."""

    def __init__(self) -> None:
        self.reason: str | None = None

    def ready(self) -> str | None:
        return self.reason


@asynccontextmanager
async def side_port(
    demo: bool = True, node: Node | None = None, gateway: str = GATEWAY
) -> AsyncIterator[aiohttp.ClientSession]:
    exporter = MetricsExporter({"gateway": lambda: counters("gateway", {"frames": 5})})
    port = SidePort(
        HttpSettings(port=0, demo=demo),
        (node or Node()).ready,
        exporter,
        lambda asked: {
            "gateway": gateway or f"ws://{asked}:7880/v1",
            "iceServers": [],
            "alternatives": ["wss://b.example/v1"],
        },
    )
    await port.start()
    try:
        async with aiohttp.ClientSession(port.url) as session:
            yield session
    finally:
        await port.close()


async def test_livez_is_ok_while_the_process_answers() -> None:
    node = Node()
    node.reason = "draining"
    async with side_port(node=node) as http, http.get("/livez") as answer:
        assert (answer.status, await answer.text()) == (200, "ok\n")


async def test_readyz_says_why_a_node_is_not_ready_and_recovers() -> None:
    node = Node()
    async with side_port(node=node) as http:
        async with http.get("/readyz") as answer:
            assert answer.status == 200
        node.reason = "This node is draining."
        async with http.get("/readyz") as answer:
            assert (answer.status, await answer.text()) == (503, "This node is draining.\n")
        node.reason = None
        async with http.get("/readyz") as answer:
            assert answer.status == 200


async def test_metrics_are_prometheus_text() -> None:
    async with side_port() as http, http.get("/metrics") as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert "palaver_gateway_frames_total 5.0" in await answer.text()


async def test_config_names_the_gateway() -> None:
    async with side_port() as http, http.get("/config.json") as answer:
        assert answer.content_type == "application/json"
        assert await answer.json() == {
            "gateway": GATEWAY,
            "iceServers": [],
            "alternatives": ["wss://b.example/v1"],
        }


@pytest.mark.parametrize(
    ("header", "asked"),
    [
        ("calls.example:7881", "calls.example"),
        ("192.0.2.7", "192.0.2.7"),
        ("[2001:db8::7]:7881", "[2001:db8::7]"),
        ("a; script-src *", None),
        ("a/b", None),
        ("", None),
    ],
)
async def test_the_page_is_told_of_the_host_that_the_browser_asked(header: str, asked: str | None) -> None:
    async with side_port(gateway="") as http, http.get("/config.json", headers={"Host": header}) as answer:
        assert (await answer.json())["gateway"] == f"ws://{asked}:7880/v1"


@pytest.mark.parametrize("path", PAGE_FILES)
async def test_every_file_of_the_page_has_its_type_and_is_never_sniffed(path: str) -> None:
    async with side_port() as http, http.get(path) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == PAGE_FILES[path][1]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-cache"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert await answer.read()


async def test_an_unchanged_file_is_not_sent_again() -> None:
    async with side_port() as http:
        async with http.get("/palaver.js") as answer:
            etag = answer.headers["ETag"]
        async with http.get("/palaver.js", headers={"If-None-Match": etag}) as answer:
            assert (answer.status, await answer.read()) == (304, b"")


async def test_the_page_may_connect_to_its_gateway_and_run_no_inline_code() -> None:
    async with side_port() as http, http.get("/") as answer:
        rules = answer.headers["Content-Security-Policy"].split("; ")
        assert "connect-src 'self' ws://127.0.0.1:7880 wss://b.example" in rules
        assert "script-src 'self'" in rules
        assert "default-src 'none'" in rules


@pytest.mark.parametrize(
    "gateway", ["", "http://a/", "ws://a; script-src *", "ws://a b/", "javascript:alert(1)", "ws://*"]
)
def test_a_strange_gateway_does_not_widen_the_policy(gateway: str) -> None:
    assert "connect-src 'self';" in policy([gateway])["Content-Security-Policy"]


@pytest.mark.parametrize("gateway", ["wss://call.example/v1", "ws://[::1]:7880/v1"])
def test_hosts_of_every_form_are_allowed(gateway: str) -> None:
    assert gateway.removesuffix("/v1") in policy([gateway])["Content-Security-Policy"]


async def test_without_demo_there_is_no_page() -> None:
    async with side_port(demo=False) as http:
        for path in PAGE_FILES:
            async with http.get(path) as answer:
                assert answer.status == 404


@pytest.mark.parametrize("path", ["/nothing", "/static", "/static/", "/livez/", "/index.html", "/%00"])
async def test_an_unknown_path_is_404_with_the_same_headers(path: str) -> None:
    async with side_port() as http, http.get(path) as answer:
        assert answer.status == 404
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "aiohttp" not in answer.headers["Server"]


@pytest.mark.parametrize(
    "path", ["/../pages.py", "/..%2fpages.py", "/%2e%2e/pages.py", "/static/../../side_port.py"]
)
async def test_no_path_leads_out_of_the_page(path: str) -> None:
    async with side_port() as http:
        host, port = http._base_url.host, http._base_url.port  # type: ignore[union-attr]
        reader, writer = await asyncio.open_connection(host, port)  # a client library would tidy the path
        writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        reply = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        assert reply.startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize("path", ["/livez", "/metrics", "/", "/palaver.js"])
async def test_head_is_get_without_a_body(path: str) -> None:
    async with side_port() as http:
        async with http.get(path) as answer:
            length = len(await answer.read())
        async with http.head(path) as answer:
            assert (answer.status, await answer.read()) == (200, b"")
            if path != "/metrics":
                assert answer.headers["Content-Length"] == str(length)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
async def test_other_methods_are_405_and_told_what_is_allowed(method: str) -> None:
    async with side_port() as http, http.request(method, "/livez") as answer:
        assert answer.status == 405
        assert answer.headers["Allow"] == "GET,HEAD"


async def test_a_taken_port_is_one_sentence_and_leaves_nothing_open() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        number = other.getsockname()[1]
        port = SidePort(HttpSettings(port=number), lambda: None, MetricsExporter({}), dict)
        with pytest.raises(StartError, match=rf"127\.0\.0\.1 port {number} is taken.*http\.port"):
            await port.start()
        await port.close()
    await port.start()  # the same object can try again
    assert port.address == ("127.0.0.1", number)
    await port.close()


async def test_a_foreign_address_is_one_sentence() -> None:
    port = SidePort(HttpSettings(host="192.0.2.1", port=0), lambda: None, MetricsExporter({}), dict)
    with pytest.raises(StartError, match=r"http\.host"):
        await port.start()


async def test_close_may_be_called_twice_and_before_start() -> None:
    port = SidePort(HttpSettings(port=0), lambda: None, MetricsExporter({}), dict)
    await port.close()
    await port.start()
    await port.close()
    await port.close()
    with pytest.raises(RuntimeError):
        _ = port.address


async def test_close_does_not_wait_for_idle_connections() -> None:
    port = SidePort(HttpSettings(port=0), lambda: None, MetricsExporter({}), dict)
    await port.start()
    reader, writer = await asyncio.open_connection(*port.address)
    async with asyncio.timeout(5):
        await port.close()
        assert await reader.read() == b""
    writer.close()


def test_importing_the_side_port_does_not_import_aiohttp() -> None:
    code = "import sys, palaver.http; sys.exit('aiohttp' in sys.modules)"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}, check=False
        ).returncode
        == 0
    )
