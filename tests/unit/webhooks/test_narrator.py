"""What happens in rooms, in LiveKit's words, numbered."""

from __future__ import annotations

import random
from typing import Any

import msgspec

from harness.plane import Stage
from palaver.rooms.observer import Observation
from palaver.webhooks.narrator import Life, Narrator, Record

NOW = 1_700_000_000.5


def narrator(last: int = 0) -> Narrator:
    return Narrator("node-1", last, lambda: NOW, random.Random(1).randbytes)


def body(record: Record) -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.json.decode(record.body)
    return decoded


def test_a_call_from_its_beginning_to_its_end() -> None:
    seen: list[Observation] = []
    stage = Stage(observer=seen.append)
    alice = stage.enter("alice", name="Alice", attributes={"team": "red"})
    alice.call("createProducer", id="cam", transport="t", kind="video", source="screen", label="slides")
    bob = stage.enter("bob")
    bob.call("leave")
    alice.lose()
    stage.advance(60)
    tell = narrator()
    told = [body(tell.tell(each)) for each in seen]
    assert [
        (each["event"], each.get("participant", {}).get("identity"), each.get("reason")) for each in told
    ] == [
        ("room_started", None, None),
        ("participant_joined", "alice", None),
        ("track_published", "alice", None),
        ("participant_joined", "bob", None),
        ("participant_left", "bob", "left"),
        ("track_unpublished", "alice", "timeout"),
        ("participant_left", "alice", "timeout"),
        ("room_finished", None, "timeout"),
    ]
    assert [each["seq"] for each in told] == [each["number"] for each in told] == list(range(1, 9))
    assert len({each["id"] for each in told}) == 8
    assert {each["room"]["sid"] for each in told} == {told[0]["room"]["sid"]}
    published = told[2]
    assert published["track"] == {"sid": "cam", "type": "VIDEO", "source": "SCREEN_SHARE", "name": "slides"}
    assert published["participant"]["name"] == "Alice"
    assert published["participant"]["attributes"] == {"team": "red"}
    assert published["createdAt"] == 1_700_000_000
    assert published["node"] == "node-1"


def test_a_room_that_begins_again_is_another_life() -> None:
    tell = narrator(last=41)
    records = [
        tell.tell(Observation(event, "room", 1))
        for event in ("room_started", "room_finished", "room_started")
    ]
    first, end, second = map(body, records)
    assert first["room"]["sid"] == end["room"]["sid"] != second["room"]["sid"]
    assert [each["seq"] for each in (first, end, second)] == [1, 2, 1]
    assert [each["number"] for each in (first, end, second)] == [42, 43, 44]
    assert [each.ends for each in records] == [False, True, False]


def test_a_life_that_a_crash_cut_off_is_ended() -> None:
    (record,) = narrator(last=7).end([Life("RM_x", "room", 1, 3)], "restart")
    told = body(record)
    assert (told["event"], told["reason"], told["seq"], told["number"]) == ("room_finished", "restart", 4, 8)
    assert record.ends


def test_a_kick_and_a_replaced_session_have_their_reasons() -> None:
    seen: list[Observation] = []
    stage = Stage(observer=seen.append)
    owner = stage.enter("olivia", role="owner")
    bob = stage.enter("bob")
    stage.enter("bob")
    owner.call("kickUser", identity="bob")
    assert bob.closed is not None
    assert [each.reason for each in seen if each.event == "participant_left"] == ["replaced", "kicked"]
