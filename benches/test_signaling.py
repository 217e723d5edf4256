"""What one message costs from the decoded frame to the written reply, the socket apart (pytest-benchmark).

    make bench-signaling

Goals: 12 µs for a relayed iceCandidate, 20 µs for a join into a room of 10.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from harness.plane import Stage
from harness.settings import node_settings
from palaver.signaling.ports import Connection

UNLIMITED = node_settings(
    limits={
        "requests_per_second": 10_000_000,
        "request_burst": 10_000_000,
        "candidates_per_second": 10_000_000,
        "candidate_burst": 10_000_000,
        "stats_per_second": 10_000_000,
        "relayed_bytes_per_second": 1 << 30,
        "relayed_burst_bytes": 1 << 30,
    }
)
SDP = "v=0\r\n" + "".join(f"a=line{n:02}:{'x' * 20}\r\n" for n in range(65))


class Sink:
    """A connection that counts what it is given."""

    def __init__(self, id: int, binary: bool) -> None:
        self.id = id
        self.address = "127.0.0.1"
        self.bearer: str | None = None
        self.binary = binary
        self.authenticated = False
        self.sent = 0
        self.last = b""

    def send(self, message: bytes, droppable: bool = False) -> bool:
        self.sent += 1
        self.last = message
        return True

    def close(self, code: int, reason: str = "") -> None:
        raise AssertionError(f"closed with {code} {reason}")


class Room:
    """A stage with clients that only count."""

    def __init__(self, size: int, binary: bool = False) -> None:
        self.stage = Stage(UNLIMITED)
        self.stage.plane.sessions.limits = UNLIMITED.limits
        self.sinks: list[Sink] = []
        self.peers: list[str] = []
        self._binary = binary
        for number in range(size):
            self.enter(f"user{number}")

    def enter(self, identity: str) -> Sink:
        sink = Sink(len(self.sinks) + 1, self._binary)
        self.stage.plane.messages.connected(sink)
        self.sinks.append(sink)
        reply = self.call(sink, "join", room="room", token=self.stage.token(identity, role="owner"))
        self.peers.append(reply["result"]["you"]["peer"])
        return sink

    def message(self, method: str, **params: Any) -> bytes:
        request = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
        if self._binary:
            import msgspec

            return msgspec.msgpack.encode(request)
        return json.dumps(request, separators=(",", ":")).encode()

    def call(self, sink: Sink, method: str, **params: Any) -> Any:
        sink.last = b""
        self.stage.plane.messages.received(sink, self.message(method, **params))
        import msgspec

        return (msgspec.msgpack if self._binary else msgspec.json).decode(sink.last)

    def receiver(self, sink: Connection, message: bytes) -> Callable[[], None]:
        received = self.stage.plane.messages.received
        return lambda: received(sink, message)


@pytest.fixture(params=[False, True], ids=["json", "msgpack"])
def pair(request: pytest.FixtureRequest) -> Room:
    return Room(2, binary=request.param)


def test_relay_a_candidate(benchmark: BenchmarkFixture, pair: Room) -> None:
    two = pair.peers[1]
    pair.call(pair.sinks[0], "sdpOffer", transport="p", direction="p2p", to=two, sdp=SDP, generation=1)
    candidate = {
        "candidate": "candidate:1 1 udp 2130706431 192.0.2.1 54321 typ host ufrag abcd",
        "sdpMid": "0",
    }
    message = pair.message("iceCandidate", transport="p", to=two, generation=1, candidates=[candidate])
    benchmark(pair.receiver(pair.sinks[0], message))
    assert pair.sinks[1].sent > 10


def test_relay_an_sdp_of_2_kb(benchmark: BenchmarkFixture, pair: Room) -> None:
    generation = 0

    def setup() -> tuple[tuple[bytes], dict[str, Any]]:
        nonlocal generation
        generation += 1
        offer = {
            "transport": "p",
            "direction": "p2p",
            "to": pair.peers[1],
            "sdp": SDP,
            "generation": generation,
        }
        return (pair.message("sdpOffer", **offer),), {}

    received = pair.stage.plane.messages.received
    benchmark.pedantic(lambda message: received(pair.sinks[0], message), setup=setup, rounds=3000)
    assert pair.sinks[1].sent > 3000


def test_heartbeat(benchmark: BenchmarkFixture, pair: Room) -> None:
    benchmark(pair.receiver(pair.sinks[0], pair.message("heartbeat", t=12.5, seqSeen=1)))


def test_pause_and_resume_a_producer(benchmark: BenchmarkFixture, pair: Room) -> None:
    pair.call(pair.sinks[0], "createProducer", id="mic", transport="t", kind="audio", source="microphone")
    messages = [pair.message("pauseProducer", id="mic"), pair.message("resumeProducer", id="mic")]
    received = pair.stage.plane.messages.received

    def both() -> None:
        received(pair.sinks[0], messages[0])
        received(pair.sinks[0], messages[1])

    benchmark(both)


def test_join_and_leave_a_room_of_10(benchmark: BenchmarkFixture) -> None:
    """Connect, authenticate, join (nine others are told), and go again; the token was seen before."""
    room = Room(9)
    messages = room.stage.plane.messages
    join = room.message("join", room="room", token=room.stage.token("guest"))

    def come_and_go() -> None:
        guest = Sink(1_000_000, False)
        messages.connected(guest)
        messages.received(guest, join)
        room.stage.plane.sessions.end(messages._callers[guest.id].session, "left")
        messages.disconnected(guest, 1000)

    benchmark(come_and_go)


@pytest.mark.parametrize("size", [10, 100, 1000])
def test_tell_a_room(benchmark: BenchmarkFixture, size: int) -> None:
    """One pauseProducer, told to everybody else."""
    room = Room(size)
    room.call(room.sinks[0], "createProducer", id="mic", transport="t", kind="audio", source="microphone")
    messages = [room.message("pauseProducer", id="mic"), room.message("resumeProducer", id="mic")]
    received = room.stage.plane.messages.received
    turn = 0

    def toggle() -> None:
        nonlocal turn
        received(room.sinks[0], messages[turn])
        turn ^= 1

    benchmark(toggle)
