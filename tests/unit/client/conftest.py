"""A node that does as the test says, over a real WebSocket on loopback."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

from harness.media import eventually, no_tasks_left
from palaver.client import Client

Params = dict[str, Any]


class Refusal(Exception):
    def __init__(self, reason: str, retry: str = "never", **data: object) -> None:
        self.error = {"code": -32001, "message": "no", "data": {"reason": reason, "retry": retry, **data}}


class Socket(WSListener):
    """One connection of a client."""

    def __init__(self, node: ScriptedNode) -> None:
        self.node = node
        self.seen: list[tuple[str, Params]] = []
        self.binary = False
        self.close_code: int | None = None
        self.disconnected = asyncio.Event()

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        self.node.sockets.append(self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            self.close_code = int.from_bytes(frame.get_payload_as_bytes()[:2], "big")
            transport.disconnect()
            return
        self.binary = frame.msg_type == WSMsgType.BINARY
        library = msgspec.msgpack if self.binary else msgspec.json
        request = library.decode(frame.get_payload_as_bytes())
        self.seen.append((request["method"], request["params"]))
        try:
            result = self.node.answers[request["method"]](request["params"])
        except Refusal as refusal:
            self.send({"jsonrpc": "2.0", "id": request["id"], "error": refusal.error})
        else:
            if result is not None:
                self.send({"jsonrpc": "2.0", "id": request["id"], "result": result})

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.disconnected.set()

    def send(self, message: object) -> None:
        library = msgspec.msgpack if self.binary else msgspec.json
        self.raw(library.encode(message))

    def raw(
        self, payload: bytes, kind: WSMsgType | None = None, fin: bool = True, rsv1: bool = False
    ) -> None:
        if kind is None:
            kind = WSMsgType.BINARY if self.binary else WSMsgType.TEXT
        self.transport.send(kind, payload, fin, rsv1)

    def event(self, name: str, seq: int, prev: int | None = None, **params: object) -> None:
        head = {"epoch": self.node.epoch, "seq": seq, "prev": seq - 1 if prev is None else prev}
        self.send({"jsonrpc": "2.0", "method": name, "params": {**head, **params}})

    def close(self, code: int, reason: str = "") -> None:
        self.transport.send(WSMsgType.CLOSE, code.to_bytes(2, "big") + reason.encode())

    def cut(self) -> None:
        self.transport.disconnect(False)

    def methods(self) -> list[str]:
        return [method for method, _ in self.seen if method != "heartbeat"]

    def params(self, method: str) -> Params:
        return next(params for name, params in reversed(self.seen) if name == method)


class ScriptedNode:
    def __init__(self) -> None:
        self.sockets: list[Socket] = []
        self.epoch = 1
        self.url = ""
        self.join_reply: Params = {}
        self.answers: dict[str, Callable[[Params], Params | None]] = {
            "join": lambda params: self.join(),
            "leave": lambda params: {},
            "heartbeat": lambda params: {"t": params["t"], "serverTime": 0, "seq": 0},
            "echo": lambda params: params,
        }

    def join(self, **changes: object) -> Params:
        """A join reply: alice joins a room in which bob already shows his camera."""
        return {
            "session": {"id": "s", "ticket": f"t{len(self.sockets)}", "pingMs": 10_000, "graceMs": 10_000},
            "you": {"peer": "alice", "identity": "a", "role": "participant", "grants": {}},
            "room": {"id": "r", "epoch": self.epoch, "locked": False, "attributes": {}, "version": 1},
            "peers": [{"peer": "bob", "identity": "b", "role": "participant"}],
            "producers": [{"id": "cam", "peer": "bob", "kind": "video", "source": "camera", "paused": False}],
            "iceServers": [],
            "seq": 10,
            "resumed": False,
            **self.join_reply,
            **changes,
        }

    def client(self, **options: Any) -> Client:
        return Client(self.url, "token", **{"chance": NoWait(), **options})

    async def socket(self, number: int) -> Socket:
        """The connection of that number, once there is one and it has asked to join."""
        await eventually(lambda: len(self.sockets) > number, f"connection {number} is made")
        await eventually(lambda: "join" in self.sockets[number].methods(), "it asks to join")
        return self.sockets[number]


class NoWait(random.Random):
    def uniform(self, a: float, b: float) -> float:
        return a


@pytest.fixture
async def node() -> AsyncIterator[ScriptedNode]:
    scripted = ScriptedNode()

    def accept(request: WSUpgradeRequest) -> Socket | None:
        return Socket(scripted) if request.path == b"/v1" else None

    server = await ws_create_server(accept, "127.0.0.1", 0)
    scripted.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    async with no_tasks_left():
        yield scripted
        for socket in scripted.sockets:
            socket.cut()
    server.close()
    await server.wait_closed()
