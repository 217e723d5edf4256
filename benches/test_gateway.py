"""What a message costs from the bytes that were read to those that are written: frames, plane, outbox (pytest-benchmark).

Only the kernel and the event loop are left out: the transport takes what is written and keeps the last of it.
"""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Callable
from typing import Any

import pytest
from bench_room import CANDIDATE, SDP, UNLIMITED
from pytest_benchmark.fixture import BenchmarkFixture

from harness.plane import Stage
from palaver.gateway.connection import WebSocketConnection
from palaver.gateway.parser import feed
from palaver.gateway.table import ConnectionTable


class Wire:
    """A transport and a loop that do nothing but remember."""

    def __init__(self) -> None:
        self.protocol: Any = None
        self.written = 0
        self.last = b""

    def write(self, data: bytes) -> None:
        self.written += 1
        self.last = data

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def get_protocol(self) -> Any:
        return self.protocol

    def set_write_buffer_limits(self, high: int, low: int) -> None: ...

    def call_soon(self, call: Callable[..., object], *arguments: object) -> None: ...


class Pair:
    """Two clients in one room, each behind a connection of a gateway."""

    def __init__(self) -> None:
        self.stage = Stage(UNLIMITED)
        messages = self.stage.plane.messages
        self.table = ConnectionTable(
            UNLIMITED.gateway, messages, messages.received_together, lambda: self.stage.now, 3.0, 1.0
        )
        self.table.start()
        loop: Any = Wire()
        self.table.loop = loop  # the rest is done in no loop
        self.wires: list[Wire] = []
        self.peers: list[str] = []
        for identity in ("alice", "bob"):
            transport: Any = Wire()
            connection = WebSocketConnection(self.table, transport, "127.0.0.1", None, "127.0.0.1")
            antechamber = connection.attach(-1)  # no descriptor: all goes through the transport, as under TLS
            messages.connected(connection)
            join = request("join", room="room", token=self.stage.token(identity))
            antechamber.take(memoryview(join))
            self.table._flush()
            payload = transport.last[4:]  # a server's frame of 126 to 65,535 bytes
            self.wires.append(transport)
            self.peers.append(json.loads(payload)["result"]["you"]["peer"])

    def read(self, by: int, data: bytes) -> None:
        """One turn of the loop."""
        feed(self.wires[by].protocol, data)
        self.table._flush()


def pair_of_clients() -> Pair:
    """The frame parser wants a running loop when it is made, and never again."""

    async def make() -> Pair:
        return Pair()

    return asyncio.run(make())


def request(method: str, **params: Any) -> bytes:
    """A masked text frame; its mask is zero, which costs the parser what any other does."""
    id = {"id": 1} if method == "join" else {}
    text = json.dumps({"jsonrpc": "2.0", **id, "method": method, "params": params}, separators=(",", ":"))
    return struct.pack("!BBH4x", 0x81, 0x80 | 126, len(text)) + text.encode()


def offer(pair: Pair, generation: int) -> bytes:
    return request(
        "sdpOffer", transport="p", direction="p2p", to=pair.peers[1], sdp=SDP, generation=generation
    )


def test_an_sdp_of_2_kb_through_gateway_and_plane(benchmark: BenchmarkFixture) -> None:
    pair, generation = pair_of_clients(), 0

    def setup() -> tuple[tuple[bytes], dict[str, Any]]:
        nonlocal generation
        generation += 1
        return (offer(pair, generation),), {}

    before = pair.wires[1].written
    benchmark.pedantic(lambda data: pair.read(0, data), setup=setup, rounds=3000)
    assert b'"transportOffer"' in pair.wires[1].last
    assert pair.wires[1].written - before == generation, "each was written by itself"


@pytest.mark.parametrize("count", [1, 10])
def test_candidates_through_gateway_and_plane(benchmark: BenchmarkFixture, count: int) -> None:
    """So many frames in one read, as a client trickles them; they leave in one write."""
    pair = pair_of_clients()
    pair.read(0, offer(pair, 1))
    frame = request("iceCandidate", transport="p", to=pair.peers[1], generation=1, candidates=[CANDIDATE])
    burst = frame * count
    before = pair.wires[1].written
    pair.read(0, burst)
    assert pair.wires[1].written == before + 1
    assert pair.wires[1].last.count(b'"transportIce"') == count
    benchmark(lambda: pair.read(0, burst))
