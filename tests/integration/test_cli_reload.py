"""SIGHUP: a running `palaver serve` reads its settings again; what is wrong with them never reaches its clients."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from palaver.signaling.tokens import mint

OLD, NEW = "the old secret, of more than 32 bytes", "the new secret, of more than 32 bytes"


class Node:
    """`palaver serve` with a file that the test rewrites."""

    def __init__(self, config: Path, state: Path, text: str, *flags: str) -> None:
        self.config = config
        config.write_text(text)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PALAVER_")}
        command = ["serve", "--config", str(config), "--port", "0", "--http-port", "0", "--json", *flags]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "palaver.cli", *command],
            env={**kept, "PALAVER_STATE_DIR": str(state), "PALAVER_MEDIA__EMBEDDED": "false"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        host, _, port = json.loads(line)["gateway"].split("/")[2].rpartition(":")
        self.address = (host, int(port))

    def reload(self, text: str, *, until: str) -> dict[str, Any]:
        """Rewrites the file, sends SIGHUP and returns the log entry whose event begins with `until`."""
        self.config.write_text(text)
        self.process.send_signal(signal.SIGHUP)
        return self.logged(until)

    def logged(self, until: str) -> dict[str, Any]:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            entry: dict[str, Any] = json.loads(line)
            if entry["event"].startswith(until):
                return entry
        raise AssertionError("the node has ended")


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Any]:
    nodes: list[Node] = []

    def start(text: str, *flags: str) -> Node:
        nodes.append(Node(tmp_path / "palaver.toml", tmp_path / "state", text, *flags))
        return nodes[-1]

    yield start
    for node in nodes:
        node.process.kill()
        node.process.communicate()


def keys(secret: str, more: str = "") -> str:
    return f"[auth.keys]\nprod = '{secret}'\n{more}"


def token(secret: str) -> str:
    return mint("prod", secret, identity="alice", now=time.time())


def open_socket(node: Node, origin: str = "", bearer: str = "", tls: ssl.SSLContext | None = None) -> Any:
    """Asks for an upgrade; the socket, its answer's head read, and the status."""
    lines = ["GET /v1 HTTP/1.1", "Host: node", "Upgrade: websocket", "Connection: Upgrade"]
    lines += ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
    lines += [f"Origin: {origin}"] if origin else []
    lines += [f"Sec-WebSocket-Protocol: palaver.v1, bearer.{bearer}"] if bearer else []
    client = socket.create_connection(node.address, timeout=10)
    if tls is not None:
        client = tls.wrap_socket(client)  # without a server name, as for an address
    client.sendall("\r\n".join([*lines, "", ""]).encode())
    head = b""
    while b"\r\n\r\n" not in head:
        head += client.recv(1)
    return client, int(head.split()[1])


def heartbeat(client: socket.socket) -> int:
    """The first byte of what the node answers: 0x81 for a text frame, 0x88 for a CLOSE."""
    message = b'{"jsonrpc":"2.0","id":1,"method":"heartbeat","params":{"t":1}}'
    client.sendall(bytes([0x81, 0x80 | len(message)]) + bytes(4) + message)
    return client.recv(65536)[0]


def admitted(node: Node, secret: str) -> bool:
    client, status = open_socket(node, bearer=token(secret))
    with client:
        assert status == 101
        return heartbeat(client) == 0x81


def test_keys_are_exchanged_and_those_who_are_there_stay(files: Any) -> None:
    node = files(keys(OLD))
    client, _ = open_socket(node, bearer=token(OLD))
    with client:
        assert heartbeat(client) == 0x81
        entry = node.reload(keys(NEW), until="settings reloaded")
        assert entry["changed"] == ["auth.keys"]
        assert heartbeat(client) == 0x81
    assert not admitted(node, OLD)
    assert admitted(node, NEW)


def test_a_bad_file_keeps_the_old_settings_and_is_named_with_its_line(files: Any) -> None:
    node = files(keys(OLD))
    entry = node.reload(keys(NEW, "[gateway]\nprot = 1\n"), until="the old settings hold")
    where = f"{node.config}:4: unknown key gateway.prot; did you mean port?"
    assert entry["event"] == f"the old settings hold: {where}"
    assert entry["level"] == "error"
    assert admitted(node, OLD)
    node.reload(keys(NEW), until="settings reloaded")
    assert admitted(node, NEW)


def test_a_file_that_is_gone_keeps_the_old_settings(files: Any) -> None:
    node = files(keys(OLD))
    node.config.unlink()
    node.process.send_signal(signal.SIGHUP)
    assert "cannot be read" in node.logged("the old settings hold")["event"]
    assert admitted(node, OLD)


def test_settings_without_keys_keep_the_old_ones(files: Any) -> None:
    node = files(keys(OLD))
    assert "auth.keys is empty" in node.reload("", until="the old settings hold")["event"]


def test_origins_and_log_level_change(files: Any) -> None:
    node = files(keys(OLD))
    assert open_socket(node, "https://a.example")[1] == 403
    text = keys(OLD, "[gateway]\norigins = ['https://a.example']\n[log]\nlevel = 'debug'\n")
    entry = node.reload(text, until="settings reloaded")
    assert entry["changed"] == ["gateway.origins", "log.level"]
    assert open_socket(node, "https://a.example")[1] == 101
    assert open_socket(node, "https://evil.example")[1] == 403
    assert node.logged("handshake from")["level"] == "debug"


def test_limits_change(files: Any) -> None:
    node = files(keys(OLD))
    node.reload(keys(OLD, "[gateway]\nmax_connections = 1\n"), until="settings reloaded")
    client, status = open_socket(node)
    with client:
        assert status == 101
        assert open_socket(node)[1] == 503


def test_what_needs_a_restart_is_named_and_stays(files: Any) -> None:
    node = files(keys(OLD))
    entry = node.reload(
        keys(NEW, "[gateway]\npath = '/other'\n[node]\nregion = 'x'\n"), until="these settings"
    )
    assert entry["event"] == "these settings change at the next start only: node.region, gateway.path"
    assert entry["level"] == "warning"
    assert admitted(node, NEW)


def test_flags_go_before_the_file_at_a_reload_too(files: Any) -> None:
    node = files(keys(OLD), "--set", "gateway.max_connections=1")
    node.reload(keys(OLD, "[gateway]\nmax_connections = 5\n"), until="settings reloaded")
    client, _ = open_socket(node)
    with client:
        assert open_socket(node)[1] == 503


def test_new_handshakes_see_the_new_certificate_and_connections_go_on(files: Any, tmp_path: Path) -> None:
    authorities = [trustme.CA(), trustme.CA()]
    certificate, key = tmp_path / "node.pem", tmp_path / "node.key"

    def issue(authority: trustme.CA) -> None:
        issued = authority.issue_cert("127.0.0.1")
        certificate.write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))
        key.write_bytes(issued.private_key_pem.bytes())

    def trusting(authority: trustme.CA) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.check_hostname = False
        authority.configure_trust(context)
        return context

    old, new = authorities
    issue(old)
    text = keys(OLD, f"[gateway]\ntls_certificate = '{certificate}'\ntls_key = '{key}'\n")
    node = files(text)
    client, _ = open_socket(node, bearer=token(OLD), tls=trusting(old))
    with client:
        assert heartbeat(client) == 0x81
        issue(new)
        node.reload(text, until="settings reloaded")
        assert heartbeat(client) == 0x81
    with pytest.raises(ssl.SSLCertVerificationError):
        open_socket(node, tls=trusting(old))
    assert open_socket(node, tls=trusting(new))[1] == 101
    key.write_text("rubbish")
    assert "gateway.tls" in node.reload(text, until="the old settings hold")["event"]
    assert open_socket(node, tls=trusting(new))[1] == 101
