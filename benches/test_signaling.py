"""What one message costs from the whole message to the written reply, the socket apart (pytest-benchmark).

    make bench-signaling

Goals: 12 µs for a relayed iceCandidate, 20 µs for a join into a room of 10.
"""

from __future__ import annotations

from typing import Any

import pytest
from bench_room import CANDIDATE, SDP, Room, Sink
from pytest_benchmark.fixture import BenchmarkFixture


@pytest.fixture(params=[False, True], ids=["json", "msgpack"])
def pair(request: pytest.FixtureRequest) -> Room:
    return Room(2, binary=request.param)


def test_relay_a_candidate(benchmark: BenchmarkFixture, pair: Room) -> None:
    two = pair.peers[1]
    pair.call(pair.sinks[0], "sdpOffer", transport="p", direction="p2p", to=two, sdp=SDP, generation=1)
    message = pair.message("iceCandidate", transport="p", to=two, generation=1, candidates=[CANDIDATE])
    before = pair.sinks[1].sent
    benchmark(pair.receiver(pair.sinks[0], message))
    assert pair.sinks[1].sent > before


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

    received = pair.messages.received
    before = pair.sinks[1].sent
    benchmark.pedantic(lambda message: received(pair.sinks[0], message), setup=setup, rounds=3000)
    assert pair.sinks[1].sent - before == generation


def test_heartbeat(benchmark: BenchmarkFixture, pair: Room) -> None:
    benchmark(pair.receiver(pair.sinks[0], pair.message("heartbeat", t=12.5, seqSeen=1)))


def test_pause_and_resume_a_producer(benchmark: BenchmarkFixture, pair: Room) -> None:
    pair.call(pair.sinks[0], "createProducer", id="mic", transport="t", kind="audio", source="microphone")
    messages = [pair.message("pauseProducer", id="mic"), pair.message("resumeProducer", id="mic")]
    received = pair.messages.received

    def both() -> None:
        received(pair.sinks[0], messages[0])
        received(pair.sinks[0], messages[1])

    benchmark(both)


def test_join_a_room_of_10(benchmark: BenchmarkFixture) -> None:
    """Authenticate, join, tell the nine others; the token was seen before, and the socket is connected."""
    room = Room(9)
    join = room.message("join", room="room", token=room.stage.token("guest"))
    guests: list[Sink] = []

    def setup() -> tuple[tuple[Sink], dict[str, Any]]:
        if guests:
            gone = guests.pop()
            room.call(gone, "leave")
            room.messages.disconnected(gone, 1000)
        guests.append(room.connect())
        return (guests[0],), {}

    benchmark.pedantic(lambda guest: room.messages.received(guest, join), setup=setup, rounds=3000)
    assert b'"result"' in guests[0].last


def test_leave_a_room_of_10(benchmark: BenchmarkFixture) -> None:
    room = Room(9)
    token = room.stage.token("guest")

    def setup() -> tuple[tuple[Sink], dict[str, Any]]:
        guest = room.connect()
        room.call(guest, "join", room="room", token=token)
        return (guest,), {}

    leave = room.message("leave")
    benchmark.pedantic(lambda guest: room.messages.received(guest, leave), setup=setup, rounds=3000)
    assert len(room.stage.plane.sessions.sessions) == 9


@pytest.mark.parametrize("size", [10, 100, 1000])
def test_tell_a_room(benchmark: BenchmarkFixture, size: int) -> None:
    """One pauseProducer, told to everybody else."""
    room = Room(size)
    room.call(room.sinks[0], "createProducer", id="mic", transport="t", kind="audio", source="microphone")
    messages = [room.message("pauseProducer", id="mic"), room.message("resumeProducer", id="mic")]
    received = room.messages.received
    turn = 0

    def toggle() -> None:
        nonlocal turn
        received(room.sinks[0], messages[turn])
        turn ^= 1

    before = room.sinks[-1].sent
    benchmark(toggle)
    assert room.sinks[-1].sent > before
