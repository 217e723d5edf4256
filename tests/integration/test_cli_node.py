"""`palaver dev` and `palaver serve` as processes: they say where they listen, they stop when told."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Start = Callable[..., subprocess.Popen[str]]
SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    pytest.importorskip("palaver.core", reason="the native core is not built")
    started: list[subprocess.Popen[str]] = []

    def start_process(*arguments: str) -> subprocess.Popen[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PALAVER_")}
        process = subprocess.Popen(
            [sys.executable, "-m", "palaver.cli", *arguments],
            env={**kept, "PALAVER_STATE_DIR": str(tmp_path / "state"), "PALAVER_CLUSTER__PORT": "0"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start_process
    for process in started:
        process.kill()
        process.communicate()


def announced(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate()[1]
    result: dict[str, Any] = json.loads(line)
    return result


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_dev_says_where_it_listens_and_stops_on_a_signal(start: Start, number: signal.Signals) -> None:
    process = start("dev", "--port", "0", "--http-port", "0", "--room", "lab", "--json")
    welcome = announced(process)
    assert welcome["room"] == "lab"
    assert [one["identity"] for one in welcome["participants"]] == ["alice", "bob"]
    with urllib.request.urlopen(f"{welcome['http']}/livez") as answer:
        assert answer.status == 200
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "")
    assert "Traceback" not in err


def test_the_page_may_connect_and_others_may_not(start: Start) -> None:
    welcome = announced(start("dev", "--port", "0", "--http-port", "0", "--json"))
    assert upgrade(welcome["gateway"], welcome["http"]) == 101
    assert upgrade(welcome["gateway"], welcome["http"].replace("127.0.0.1", "localhost")) == 101
    assert upgrade(welcome["gateway"], "http://evil.example") == 403


def test_a_token_of_the_token_command_is_one_of_the_running_node(start: Start) -> None:
    welcome = announced(start("dev", "--port", "0", "--http-port", "0", "--json"))
    token = json.loads(start("token", "--room", "demo", "--identity", "carol", "--json").communicate()[0])[
        "token"
    ]
    assert upgrade(welcome["gateway"], None, f"palaver.v1, bearer.{token}") == 101


def test_without_json_the_links_are_lines(start: Start) -> None:
    process = start("dev", "--port", "0", "--http-port", "0")
    assert process.stdout is not None
    lines = iter(process.stdout.readline, "")
    assert next(lines).startswith("gateway    ws://127.0.0.1:")
    assert any(line.startswith("bob (participant): http://127.0.0.1:") for line in lines)


def test_serve_takes_its_settings_from_the_file_and_flags(start: Start, tmp_path: Path) -> None:
    config = tmp_path / "palaver.toml"
    config.write_text(
        f"[gateway]\nport = 1\npath = '/ws'\n[http]\nport = 0\n[auth.keys]\na = '{SECRET}'\n"
        "[media]\nembedded = false\n"
    )
    process = start("serve", "--config", str(config), "--port", "0", "--set", "log.level=warning", "--json")
    where = announced(process)
    assert where["gateway"].endswith("/ws")
    assert upgrade(where["gateway"], None) == 101
    process.terminate()
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "", "")


def test_a_second_signal_ends_the_node_at_once(start: Start) -> None:
    process = start("dev", "--port", "0", "--http-port", "0", "--json", "--set", "gateway.drain_seconds=3600")
    where = announced(process)
    with connected(where["gateway"]) as one, connected(where["gateway"]):
        process.terminate()
        assert one.recv(2)[:1] == b"\x88"  # a CLOSE frame: it drains, and neither client answers
        process.terminate()
        _, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in err


def test_clients_that_are_told_and_do_not_answer_do_not_keep_the_node(start: Start) -> None:
    """For how long they hold it up is judged in test_node_stop.py."""
    process = start("dev", "--port", "0", "--http-port", "0", "--json", "--set", "gateway.drain_seconds=0")
    where = announced(process)
    with connected(where["gateway"]) as one, connected(where["gateway"]) as two:
        process.terminate()
        assert [client.recv(2)[:1] for client in (one, two)] == [b"\x88", b"\x88"]
        _, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in err


def test_a_taken_port_is_one_sentence(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        out, err = start("dev", "--port", str(port), "--http-port", "0").communicate(timeout=30)
    assert out == ""
    assert str(port) in err.splitlines()[-1]
    assert "Traceback" not in err


def test_serve_without_keys_ends_with_2(start: Start) -> None:
    process = start("serve")
    _, err = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "auth.keys is empty, so nobody could join" in err
    assert len(err.splitlines()) == 1


def test_a_weak_secret_ends_with_2_but_for_dev(start: Start, tmp_path: Path) -> None:
    config = tmp_path / "palaver.toml"
    config.write_text("[auth.keys]\nprod = 'short'\n")
    process = start("serve", "--config", str(config))
    _, err = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "auth.keys.prod must be a secret of at least 32 bytes" in err
    assert len(err.splitlines()) == 1
    assert "http" in announced(
        start("dev", "--port", "0", "--http-port", "0", "--json", "--set", "auth.keys.weak=short")
    )


def test_two_nodes_on_one_port_are_one_node_and_a_sentence(start: Start, tmp_path: Path) -> None:
    config = tmp_path / "palaver.toml"
    config.write_text(f"[auth.keys]\na = '{SECRET}'\n[media]\nembedded = false\n")
    first = ("serve", "--config", str(config), "--port", "0", "--http-port", "0", "--json")
    where = announced(start(*first))
    port = where["gateway"].split("/")[2].rsplit(":", 1)[1]
    again = ("--port", port, "--state-dir", str(tmp_path / "another"))
    second = start(*first, *again)
    out, err = second.communicate(timeout=30)
    assert (second.returncode, out) == (1, "")
    assert f"127.0.0.1:{port}: the port is taken" in err.splitlines()[-1]
    assert "Traceback" not in err
    assert upgrade(where["gateway"], None) == 101, "the first goes on"


def test_a_missing_native_core_is_one_sentence(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['palaver.core._native'] = None;"
        f"from palaver.cli import main; main(['dev', '--state-dir', {str(tmp_path)!r}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "palaver: the native core is not built for this Python; run `make setup`\n"


def upgrade(url: str, origin: str | None, protocols: str = "palaver.v1") -> int:
    """The status with which the gateway answers a WebSocket handshake."""
    client, status = handshake(url, origin, protocols)
    client.close()
    return status


def connected(url: str) -> socket.socket:
    """An upgraded socket."""
    client, status = handshake(url)
    assert status == 101
    return client


def handshake(
    url: str, origin: str | None = None, protocols: str = "palaver.v1"
) -> tuple[socket.socket, int]:
    """Asks for an upgrade (RFC 6455 § 4.1): the socket, the answer's head read, and its status."""
    authority, _, path = url.removeprefix("ws://").partition("/")
    host, _, port = authority.rpartition(":")
    lines = [
        f"GET /{path} HTTP/1.1",
        f"Host: {authority}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        f"Sec-WebSocket-Protocol: {protocols}",
        *([f"Origin: {origin}"] if origin else []),
    ]
    client = socket.create_connection((host, int(port)), timeout=10)
    client.sendall("\r\n".join([*lines, "", ""]).encode())
    head = b""
    while b"\r\n\r\n" not in head:
        head += client.recv(1)
    return client, int(head.split()[1])
