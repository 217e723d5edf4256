"""The servers that are measured beside palaver's gateway: how each is had, started, and spoken to.

Everything is installed into the ignored folder .peers. What cannot be had on this machine is skipped, and said.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from palaver.bench.plan import Client, Flow, Message, Part, Plan, Stage, Step, Timing
from palaver.bench.sdp import candidate, offer
from palaver.bench.wire import LETTER

HERE = Path(__file__).parent
ROOT = HERE.parent
SOURCES = HERE / "peers" / "gateway"
PEERS = ROOT / ".peers" / "gateway"
WEBSOCKETS = "websockets==17.4"
STOP_SECONDS = 20
SERVER_CORE = 0


class Wire(NamedTuple):
    """How a client of a server gets in and talks. Messages are made of pieces around the number (`...`)."""

    target: Callable[[str, str], str]
    """(id, room) → request target."""
    relayed: Callable[[str, bytes], tuple[Part, ...]]
    """(id of whom it is for, JSON of the body without braces) → message."""
    arrival: bytes
    opening: tuple[Step, ...] = ()
    headers: str = ""
    reply: bytes | None = None
    error: bytes = b""
    keepalive: tuple[bytes, bytes] | None = None


def _around(before: str, after: str) -> Callable[[str, bytes], tuple[Part, ...]]:
    def relayed(to: str, body: bytes) -> tuple[Part, ...]:
        head, _, tail = body.partition(b'"#"')
        return (before.replace("TO", to).encode() + head, ..., tail + after.encode())

    return relayed


def _query(id: str, room: str) -> str:
    return f"/?id={id}&room={room}"


RAW = Wire(_query, _around('{"to":"TO",', "}"), b'"type":"x"')
SOCKET_IO = Wire(
    lambda id, room: f"/socket.io/?EIO=4&transport=websocket&id={id}&room={room}",
    _around('42["relay",{"to":"TO",', "}]"),
    b'42["relay"',
    opening=(Step(b'0{"sid"'), Step(b'40{"sid"', Message((b"40",)))),
    error=b"44{",
    keepalive=(b"2", b"3"),
)
PROTOO = Wire(
    _query,
    _around('{"notification":true,"method":"relay","data":{"to":"TO",', "}}"),
    b'"method":"relay"',
    headers="Sec-WebSocket-Protocol: protoo\r\n",
)
PROTOO_REQUEST = PROTOO._replace(
    relayed=lambda to, body: (
        b'{"request":true,"id":',
        ...,
        *_around(',"method":"relay","data":{"to":"TO",', "}}")(to, body),
    ),
    reply=b'"response":true',
    error=b'"ok":false',
)
PEERJS = Wire(
    lambda id, room: f"/peerjs?key=peerjs&id={id}&token=t&version=1",
    _around('{"type":"OFFER","dst":"TO","payload":{', "}}"),
    b'"type":"OFFER"',
    opening=(Step(b'"OPEN"'),),
    error=b'"type":"ERROR"',
)


class Rival(NamedTuple):
    name: str
    wire: Wire
    command: tuple[str | Path, ...]
    needs: str
    """gcc, go, node or python."""


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
    )
}
NOT_HERE = {"Janus": "not installed by this bench", "Prosody": "not installed by this bench"}


def install() -> dict[str, str]:
    """Builds and installs what the rivals need. Returns what cannot be had → why."""
    PEERS.mkdir(parents=True, exist_ok=True)
    missing = {}
    for need, installs in (("gcc", _compile), ("go", _go), ("python", _pip), ("node", _npm)):
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


def _go() -> None:
    if shutil.which("go") is None:
        raise OSError("there is no Go")
    subprocess.run(["go", "build", "-o", PEERS / "gorilla_relay", "."], cwd=SOURCES / "gorilla", check=True)


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

    def __init__(self, command: tuple[str | Path, ...], *, show_errors: bool = False) -> None:
        paths = {"NODE_PATH": str(PEERS / "node_modules"), "PYTHONPATH": str(PEERS / "python")}
        self._process = subprocess.Popen(
            list(map(str, command)),
            stdout=subprocess.PIPE,
            stderr=None if show_errors else subprocess.DEVNULL,
            text=True,
            env={**os.environ, **paths, "NODE_ENV": "production"},
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

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


SDP = json.dumps(offer(2048))
BODIES = {
    "relay": f'"type":"x","sdp":{SDP},"generation":"#"'.encode(),
    "trickle": f'"type":"x","candidate":{json.dumps(candidate(200))},"sdpMid":"0","n":"#"'.encode(),
    "fanout": f'"type":"x","message":"{LETTER * 1024}","n":"#"'.encode(),
}


def rival_plan(
    wire: Wire, port: int, work: str, size: int, timing: Timing, rate: float | None = None
) -> Plan:
    """The same work as one of palaver's scenarios.

    `size`: pairs of relay and trickle, members of fanout's room, clients of joins, sessions of idle (which relay
    between 64 pairs at a rate, while the others are silent).
    """
    count = {"relay": 2 * size, "trickle": 2 * size}.get(work, size)
    churns = 0 if work == "joins" else None
    clients = tuple(
        Client(
            wire.target(str(index), str(0 if work == "fanout" else index // 2)),
            wire.headers,
            wire.opening,
            churns=churns,
            source=f"127.0.0.{index // 20_000 + 1}",
        )
        for index in range(count)
    )
    pairs = {"relay": size, "trickle": size, "idle": 64}.get(work, 0)
    ends: list[tuple[int, tuple[int, ...], str]] = [
        (2 * pair, (2 * pair + 1,), str(2 * pair + 1)) for pair in range(pairs)
    ]
    if work == "fanout":
        ends = [(0, tuple(range(1, size)), "*")]
    body = BODIES["relay" if work == "idle" else work] if ends else b""
    flows = tuple(
        Flow(
            stage=0,
            sender=sender,
            receivers=receivers,
            messages=(Message(wire.relayed(to, body)),),
            arrival=wire.arrival,
            reply=wire.reply,
            burst=10 if work == "trickle" else 1,
        )
        for sender, receivers, to in ends
    )
    window = 1 if rate is None and work != "joins" else None
    stage = Stage(work, window=window, rate=rate, churn=work == "joins")
    authority = f"127.0.0.1:{port}"
    return Plan(
        "127.0.0.1",
        port,
        authority,
        clients,
        (stage,),
        flows,
        timing,
        error=wire.error,
        keepalive=wire.keepalive,
    )
