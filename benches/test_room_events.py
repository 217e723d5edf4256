"""What a room's events cost: noting one, sending it to all, replaying what a session missed (pytest-benchmark)."""

from __future__ import annotations

import pytest
from bench_room import Room
from pytest_benchmark.fixture import BenchmarkFixture

from palaver.protocol.events import PeerSuspended
from palaver.rooms.room import Room as RoomState

EVENT = PeerSuspended("p_0123456789abcdef01")


def state(room: Room) -> RoomState:
    return room.stage.plane.sessions.rooms["room"]


def test_note_an_event(benchmark: BenchmarkFixture) -> None:
    room = state(Room(2))

    def note() -> None:
        room.tell(EVENT)
        room._pending.clear()

    before = room.log.seq
    benchmark(note)
    assert room.log.seq > before


@pytest.mark.parametrize("size", [10, 100, 1000])
def test_tell_all(benchmark: BenchmarkFixture, size: int) -> None:
    room = Room(size)
    told = state(room)

    def tell() -> None:
        told.tell(EVENT)
        told.deliver()

    before = room.sinks[0].sent
    benchmark(tell)
    assert room.sinks[0].sent > before


def test_tell_one_of_a_thousand(benchmark: BenchmarkFixture) -> None:
    room = Room(1000)
    told, peer = state(room), room.peers[500]

    def tell() -> None:
        told.tell(EVENT, to=peer)
        told.deliver()

    before = room.sinks[500].sent
    benchmark(tell)
    assert room.sinks[500].sent > before


def test_replay_a_hundred_missed_events(benchmark: BenchmarkFixture) -> None:
    room = Room(2)
    session = room.messages._callers[room.sinks[0].id].session
    told, last = state(room), session.last_seq
    for _ in range(100):
        told.tell(EVENT)
    assert session.room is not None and session.participant is not None
    sessions, participant = room.stage.plane.sessions, session.participant
    missed = benchmark(lambda: sessions._missed(session, told, participant, last))
    assert missed is not None and len(missed) == 100
