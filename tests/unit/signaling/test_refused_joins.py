"""A refused join has changed nothing, and no ruling is younger than a seat (found in review)."""

from __future__ import annotations

from typing import Any

import pytest

from harness.plane import Client, Refusal, Stage
from harness.settings import node_settings
from harness.slow_media import SlowMedia


@pytest.fixture
def stage() -> Stage:
    return Stage()


def revoke(stage: Stage, identity: str) -> None:
    owner = stage.enter("olivia", room="office", role="owner")
    now = stage.now + 1_700_000_000
    owner.call("kickUser", identity=identity, revokeBefore=now)


def test_a_token_revoked_after_auth_takes_no_seat(stage: Stage) -> None:
    bob = stage.connect()
    bob.call("auth", token=stage.token("bob"))
    seated = stage.enter("carol")
    seated.lose()
    carol = stage.connect(bearer=stage.token("carol"))
    stage.advance(2)
    for identity in ("bob", "carol"):
        revoke(stage, identity)
    with pytest.raises(Refusal, match="token_revoked"):
        bob.call("join", room="room")
    with pytest.raises(Refusal, match="token_revoked"):
        carol.resume(seated)


@pytest.mark.parametrize(
    "producers",
    [
        [{"id": "new"}, {"id": "taken"}],
        [{"id": f"p{n}"} for n in range(21)],
        [{"id": "same"}, {"id": "same"}],
    ],
)
def test_a_join_whose_producers_do_not_fit_replaces_nobody(stage: Stage, producers: list[Any]) -> None:
    alice, bob = stage.enter("alice"), stage.enter("bob")
    track = {"transport": "t", "kind": "audio", "source": "microphone"}
    alice.call("createProducer", id="taken", **track)
    alice.take()
    again = stage.connect()
    with pytest.raises(Refusal):
        again.call(
            "join", room="room", token=stage.token("bob"), producers=[{**track, **p} for p in producers]
        )
    assert bob.closed is None
    assert alice.take() == []
    assert not again.authenticated
    with pytest.raises(Refusal, match="unauthenticated"):
        again.call("join", room="room")


def test_a_refused_join_applies_no_token(stage: Stage) -> None:
    fresh = stage.connect()
    with pytest.raises(Refusal, match="forbidden"):
        fresh.call("join", room="other", token=stage.token("alice", room="room"))
    fresh.call("auth", token=stage.token("bob"))
    seated = stage.enter("carol")
    with pytest.raises(Refusal, match="wrong_state"):
        seated.call("join", room="elsewhere", token=stage.token("carol", canPublish=False))
    seated.call("createProducer", transport="t", kind="audio", source="microphone")


def joining_with_an_offer(stage: Stage, identity: str) -> tuple[Client, int]:
    client = stage.connect(bearer=stage.token(identity))
    request = client.request("join", room="room", offer={"transport": "t", "sdp": "v=0\r\n"})
    return client, request


@pytest.mark.parametrize("event", ["lock", "ban", "none"])
def test_a_lock_or_a_ban_holds_for_a_join_under_way(event: str) -> None:
    media = SlowMedia()
    stage = Stage(node_settings(), media={"slow": media})
    owner = stage.enter("olivia", role="owner")
    bob, request = joining_with_an_offer(stage, "bob")
    (work,) = stage.spawned
    work.send(None)
    if event == "lock":
        owner.call("lockRoom")
    elif event == "ban":
        owner.call("kickUser", identity="bob", ban={"scope": "room"})
    with pytest.raises(StopIteration):
        work.send(None)
    if event == "none":
        assert bob.result(request)["answer"]["transport"] == "t"
        return
    with pytest.raises(Refusal, match="room_locked" if event == "lock" else "banned"):
        bob.result(request)
    assert len(media.closed) == 1
    assert len(stage.plane.sessions.rooms["room"].participants) == 1


def test_a_resume_with_a_lesser_token_has_its_grants(stage: Stage) -> None:
    alice, bob = stage.enter("alice"), stage.enter("bob")
    bob.call("createProducer", id="mic", transport="t", kind="audio", source="microphone")
    alice.take()
    bob.lose()
    again = stage.connect(bearer=stage.token("bob", canPublish=False))
    assert again.resume(bob)["you"]["grants"]["canPublish"] is False
    assert [each["event"] for each in alice.take()] == ["producerClosed"]
    with pytest.raises(Refusal, match="forbidden"):
        again.call("createProducer", transport="t", kind="audio", source="microphone")


def test_a_resume_hears_nothing_from_before_its_own_join(stage: Stage) -> None:
    stage.enter("alice")
    stage.enter("gone").call("leave")
    bob = stage.enter("bob")
    bob.lose()
    bob.seq = 1
    assert stage.connect(bearer=stage.token("bob")).resume(bob)["missed"] == []


def test_what_a_resume_missed_begins_at_the_number_that_the_client_names(stage: Stage) -> None:
    stage.enter("alice")
    stage.enter("gone").call("leave")
    bob = stage.enter("bob")
    bob.lose()
    stage.enter("carol")
    bob.seq = 1
    again = stage.connect(bearer=stage.token("bob"))
    assert [each["params"]["prev"] for each in again.resume(bob)["missed"]] == [1]


def test_attributes_are_bounded_in_all(stage: Stage) -> None:
    many = {f"key{n}": "x" * 4000 for n in range(5)}
    with pytest.raises(Refusal, match="too_large"):
        stage.connect(bearer=stage.token("alice")).call("join", room="room", attributes=many)


def test_an_error_of_a_client_is_advised_and_logged(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    reply = stage.enter("alice").call("mediaError", where="ice", name="failed", message="no route")
    assert reply["ref"] == caplog.records[-1].ref  # type: ignore[attr-defined]


def test_events_wait_for_the_reply_of_a_join_in_a_batch() -> None:
    import json

    stage = Stage(node_settings(), media={"slow": SlowMedia()})
    alice = stage.enter("alice")
    bob = stage.connect(bearer=stage.token("bob"))
    join = {"jsonrpc": "2.0", "id": 1, "method": "join", "params": {"room": "room"}}
    offer = {"transport": "t", "direction": "send", "sdp": "v=0\r\n", "generation": 1}
    batch = [join, {"jsonrpc": "2.0", "id": 2, "method": "sdpOffer", "params": offer}]
    bob.receive(json.dumps(batch).encode())
    bob.call("heartbeat", t=1)
    alice.call("createProducer", id="mic", transport="t", kind="audio", source="microphone")
    assert bob.events == []
    (work,) = stage.spawned
    work.send(None)
    with pytest.raises(StopIteration):
        work.send(None)
    assert [each["method"] for each in bob.events] == ["producerAdded"]
