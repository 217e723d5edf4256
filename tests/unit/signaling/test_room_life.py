"""How long rooms live: a while after the last has left, and no longer than their time."""

from __future__ import annotations

import pytest

from harness.plane import Refusal, Stage
from harness.settings import node_settings


def test_a_room_outlives_its_last_participant_with_its_lock() -> None:
    stage = Stage(node_settings(rooms={"empty_seconds": 30.0}))
    owner = stage.enter("olivia", role="owner")
    owner.call("lockRoom")
    seq = owner.seq
    owner.call("leave")
    stage.advance(29)
    with pytest.raises(Refusal, match="room_locked"):
        stage.enter("bob")
    assert stage.enter("olivia", role="owner").seq > seq
    stage.advance(100)
    assert stage.plane.sessions.rooms.keys() == {"room"}


def test_an_empty_room_goes_when_its_time_is_over() -> None:
    stage = Stage(node_settings(rooms={"empty_seconds": 30.0}))
    stage.enter("alice").call("leave")
    stage.advance(31)
    assert stage.plane.sessions.rooms == {}
    assert stage.enter("alice").seq == 1


def test_a_room_ends_for_everybody_at_the_end_of_its_time() -> None:
    stage = Stage(node_settings(rooms={"max_seconds": 60.0}))
    alice, bob = stage.enter("alice"), stage.enter("bob")
    bob.lose()
    stage.advance(5)
    alice.take()
    stage.advance(56)
    assert alice.closed == (4506, "the room's time is over")
    assert alice.take("peerLeft") == [{"event": "peerLeft", "peer": bob.peer, "reason": "timeout"}]
    assert stage.plane.sessions.rooms == {}
    assert stage.plane.sessions.sessions == {}
    stage.advance(100)


def test_replacing_the_only_participant_keeps_the_room() -> None:
    stage = Stage()
    owner = stage.enter("olivia", role="owner")
    owner.call("lockRoom")
    again = stage.enter("olivia", role="owner")
    assert again.call("roomInfo")["room"]["locked"] is True
    assert again.seq > owner.seq


def test_every_life_of_a_room_has_a_higher_epoch() -> None:
    stage = Stage()
    seen = []
    for _ in range(3):
        alice = stage.connect()
        reply = alice.join(token=stage.token("alice"))
        seen.append(reply["room"]["epoch"])
        assert alice.seq == 1
        assert alice.call("debugPing")["epoch"] == reply["room"]["epoch"]
        alice.call("leave")
        stage.enter("bob", room="another").call("leave")
    assert seen == sorted(set(seen))


def test_a_room_that_outlives_its_last_participant_keeps_its_epoch() -> None:
    stage = Stage(node_settings(rooms={"empty_seconds": 30.0}))
    epochs = []
    for _ in range(2):
        alice = stage.connect()
        epochs.append(alice.join(token=stage.token("alice"))["room"]["epoch"])
        alice.call("leave")
    assert epochs[0] == epochs[1]
