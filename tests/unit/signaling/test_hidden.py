"""Who is hidden stays so for the stay, and shows its id to nobody (protocol § 4)."""

from __future__ import annotations

import pytest

from harness.plane import SDP, Client, Refusal, Stage
from palaver.protocol.types import Role


@pytest.fixture
def stage() -> Stage:
    return Stage()


def enter_hidden(stage: Stage, identity: str = "ghost", role: Role = "participant") -> Client:
    client = stage.connect()
    client.join(token=stage.token(identity, role=role, hidden=True))
    return client


def test_a_token_in_mid_stay_neither_shows_nor_hides_its_owner(stage: Stage) -> None:
    alice, bob, ghost = stage.enter("alice"), stage.enter("bob"), enter_hidden(stage)
    alice.take()
    ghost.call("refreshToken", token=stage.token("ghost"))
    bob.call("refreshToken", token=stage.token("bob", hidden=True))
    with pytest.raises(Refusal, match="hidden"):
        ghost.call("createProducer", transport="t", kind="audio", source="microphone")
    bob.call("createProducer", transport="t", kind="audio", source="microphone")
    assert [each["identity"] for each in alice.call("roomInfo")["peers"]] == ["alice", "bob"]
    ghost.call("leave")
    bob.lose()
    again = stage.connect(bearer=stage.token("bob", hidden=True))
    again.resume(bob)
    again.call("leave")
    told = [each["event"] for each in alice.take()]
    assert told == ["producerAdded", "producerClosed", "peerLeft"]


def test_the_next_join_goes_by_the_newer_token(stage: Stage) -> None:
    alice, ghost = stage.enter("alice"), enter_hidden(stage)
    fresh = stage.token("ghost")
    ghost.call("refreshToken", token=fresh)
    shown = stage.connect()
    assert shown.join(token=fresh)["you"]["grants"]["hidden"] is False
    assert [each["event"] for each in alice.take()] == ["peerJoined"]


def test_who_may_not_subscribe_any_more_loses_its_consumers(stage: Stage) -> None:
    alice, bob = stage.enter("alice"), stage.enter("bob")
    alice.call("createProducer", id="mic", transport="t", kind="audio", source="microphone")
    bob.call("createConsumer", id="c", producer="mic", transport="r", paused=False)
    bob.take(), alice.take()
    bob.call("refreshToken", token=stage.token("bob", canSubscribe=False))
    assert bob.take() == [{"event": "consumerClosed", "id": "c", "producer": "mic", "reason": "grants"}]
    assert alice.take() == [{"event": "producerWanted", "id": "mic", "layers": []}]


def test_who_is_hidden_is_nobodys_peer(stage: Stage) -> None:
    alice, ghost = stage.enter("alice"), enter_hidden(stage)
    link = {"transport": "p", "generation": 1}
    for method, more in (
        ("sdpOffer", {"direction": "p2p", "sdp": SDP}),
        ("sdpAnswer", {"sdp": SDP}),
        ("iceCandidate", {"candidates": ["c"]}),
        ("iceRestart", {}),
    ):
        with pytest.raises(Refusal, match="forbidden"):
            ghost.call(method, to=alice.peer, **link, **more)
        with pytest.raises(Refusal, match="not_found"):
            alice.call(method, to=ghost.peer, **link, **more)
    assert alice.take() == ghost.take() == []


def test_a_trace_of_who_is_hidden_names_nobody(stage: Stage) -> None:
    doctor, ghost = stage.connect(), enter_hidden(stage)
    doctor.join(token=stage.token("doctor", diag=True))
    doctor.call("traceEvent", subscribe=["*"])
    ghost.call("traceEvent", name="mark", t=1)
    assert [each["peer"] for each in doctor.take("trace")] == ["hidden"]


def test_a_hidden_moderator_has_the_reply_and_not_the_event(stage: Stage) -> None:
    alice, ghost = stage.enter("alice"), enter_hidden(stage, role="owner")
    ghost.call("lockRoom")
    ghost.call("unlockRoom")
    assert ghost.take() == []
    ghost.call("kickUser", peer=alice.peer, reason="noise")
    assert [each.get("by") for each in alice.take()] == ["hidden"] * 3
    assert ghost.take("peerLeft") == [
        {"event": "peerLeft", "peer": alice.peer, "reason": "kicked", "by": "hidden"}
    ]
