"""The servers that are measured beside palaver's gateway: how each is had and started.

Everything is installed into the ignored folder .peers. What cannot be had on this machine is skipped, and said.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import gateway_debian as debian
from gateway_wires import CENTRIFUGE, JANUS, PEERJS, PROTOO, PROTOO_REQUEST, RAW, SOCKET_IO, XMPP, Wire

HERE = Path(__file__).parent
ROOT = HERE.parent
SOURCES = HERE / "peers" / "gateway"
PEERS = ROOT / ".peers" / "gateway"
WEBSOCKETS = "websockets==17.4"
STOP_SECONDS = 20
START_SECONDS = 20
SERVER_CORE = 0


class Rival(NamedTuple):
    name: str
    wire: Wire
    command: tuple[str | Path, ...]
    needs: str
    """gcc, go, centrifuge, node, python, janus or prosody."""
    start: Callable[[Path, Path, int], debian.Started] | None = None
    """(files, folder, port) → how it is started. None: by its command, and it prints the port that the kernel chose."""


def _node(script: str) -> tuple[str | Path, ...]:
    return ("node", SOURCES / script)


RIVALS = {
    rival.name: rival
    for rival in (
        Rival("C epoll relay", RAW, (PEERS / "epoll_relay",), "gcc"),
        Rival("picows + msgspec", RAW, (sys.executable, SOURCES / "picows_relay.py"), "python"),
        Rival("websockets + msgspec", RAW, (sys.executable, SOURCES / "websockets_relay.py"), "python"),
        Rival("gorilla (Go)", RAW, (PEERS / "gorilla_relay",), "go"),
        Rival("node ws", RAW, _node("ws_relay.js"), "node"),
        Rival("PeerJS server", PEERJS, _node("peerjs_relay.js"), "node"),
        Rival("socket.io", SOCKET_IO, _node("socketio_relay.js"), "node"),
        Rival("protoo, notify", PROTOO, _node("protoo_relay.js"), "node"),
        Rival("protoo, request + notify", PROTOO_REQUEST, _node("protoo_relay.js"), "node"),
        Rival("Centrifuge library (Go)", CENTRIFUGE, (PEERS / "centrifuge_relay",), "centrifuge"),
        Rival("Janus, plugin request", JANUS, (), "janus", debian.janus),
        Rival("Prosody", XMPP, (), "prosody", debian.prosody),
    )
}
NOT_HERE = {
    "Centrifugo": "the public Go module proxy answers 403 for its module; the library that it is made of stands for it"
}


def install() -> dict[str, str]:
    """Builds and installs what the rivals need. Returns what cannot be had → why."""
    PEERS.mkdir(parents=True, exist_ok=True)
    missing = {}
    for need, installs in (
        ("gcc", _compile),
        ("go", lambda: _go("gorilla")),
        ("centrifuge", lambda: _go("centrifuge")),
        ("python", _pip),
        ("node", _npm),
        ("janus", lambda: debian.fetch("janus", "janus", PEERS)),
        ("prosody", lambda: debian.fetch("prosody", "prosody", PEERS)),
    ):
        try:
            installs()
        except (OSError, subprocess.CalledProcessError) as error:
            missing[need] = str(error).strip().splitlines()[-1]
    return missing


def _compile() -> None:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise OSError("there is no C compiler")
    subprocess.run([compiler, "-O2", "-o", PEERS / "epoll_relay", SOURCES / "epoll_relay.c"], check=True)


def _go(name: str) -> None:
    if shutil.which("go") is None:
        raise OSError("there is no Go")
    subprocess.run(["go", "build", "-o", PEERS / f"{name}_relay", "."], cwd=SOURCES / name, check=True)


def _pip() -> None:
    if not (PEERS / "python" / "websockets").is_dir():
        options = ["--quiet", "--disable-pip-version-check", "--target", PEERS / "python"]
        subprocess.run([sys.executable, "-m", "pip", "install", *options, WEBSOCKETS], check=True)


def _npm() -> None:
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise OSError("there is no Node.js with npm")
    wanted = (SOURCES / "package.json").read_text()
    stamp = PEERS / "package.json"
    if (PEERS / "node_modules").is_dir() and stamp.is_file() and stamp.read_text() == wanted:
        return
    stamp.write_text(wanted)
    options = ["--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"]
    subprocess.run(["npm", "install", *options], cwd=PEERS, check=True, stdout=subprocess.DEVNULL)


class Server:
    """A server process on its own core. Use as a context."""

    def __init__(
        self,
        command: tuple[str | Path, ...],
        environment: dict[str, str] | None = None,
        *,
        log: Path | None = None,
    ) -> None:
        paths = {"NODE_PATH": str(PEERS / "node_modules"), "PYTHONPATH": str(PEERS / "python")}
        with open(log or os.devnull, "wb") as errors:
            self._process = subprocess.Popen(
                list(map(str, command)),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, **paths, "NODE_ENV": "production", **(environment or {})},
                preexec_fn=lambda: os.sched_setaffinity(0, {SERVER_CORE}),
            )
        self.pid = self._process.pid

    def first_line(self) -> str:
        """What it prints once it listens. Raises OSError where it ends instead."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise OSError(f"{self._process.args} ended with {self._process.wait()}")
        return line

    def wait_for(self, port: int) -> None:
        """Until it lets connect. Raises OSError where it does not, or ends."""
        deadline = time.monotonic() + START_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
            except ConnectionRefusedError:
                time.sleep(0.05)
            else:
                return
        raise OSError(f"{self._process.args} does not listen (ended with {self._process.poll()})")

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def serve(rival: Rival, stack: ExitStack) -> tuple[Server, int]:
    """The rival's server and its port; it ends with the stack. Raises OSError where it does not start."""
    if rival.start is None:
        server = stack.enter_context(Server(rival.command))
        return server, int(server.first_line())
    port = debian.free_port()
    files = debian.fetch(rival.needs, rival.needs, PEERS)
    command, environment = rival.start(files, PEERS, port)
    server = stack.enter_context(Server(command, environment))
    server.wait_for(port)
    return server, port
