"""Session life: auth, join, leave, loss, resume (protocol § 2 and § 5)."""

from __future__ import annotations

import pytest

from harness.plane import Refusal, Stage
from harness.settings import node_settings


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_auth_tells_who_one_is_and_what_holds_here(stage: Stage) -> None:
    client = stage.connect()
    reply = client.call("auth", token=stage.token("alice", role="owner", room="room"))
    assert reply["identity"] == "alice"
    assert reply["grants"]["room"] == "room"
    assert reply["server"] == {"node": "stage", "region": "local", "version": "test"}
    assert reply["pingMs"] == 10_000
    assert reply["graceMs"] == 10_000
    assert client.authenticated


def test_nothing_but_auth_and_join_before_a_token(stage: Stage) -> None:
    client = stage.connect()
    for method in ("roomInfo", "leave", "debugPing"):
        with pytest.raises(Refusal, match="unauthenticated"):
            client.call(method)
    with pytest.raises(Refusal, match="unauthenticated"):
        client.call("join", room="room")
    assert client.closed is None


def test_a_second_auth_is_refused_and_changes_nothing(stage: Stage) -> None:
    client = stage.connect()
    client.call("auth", token=stage.token("alice"))
    with pytest.raises(Refusal, match="wrong_state"):
        client.call("auth", token=stage.token("mallory"))
    client.join()
    assert stage.plane.sessions.rooms["room"].peer_of.keys() == {"alice"}


def test_the_third_bad_token_closes(stage: Stage) -> None:
    client = stage.connect()
    for _ in range(3):
        assert client.closed is None
        with pytest.raises(Refusal, match="token_invalid"):
            client.call("auth", token="no.token.atall")
    assert client.closed is not None
    assert client.closed[0] == 4501


def test_a_bearer_token_authenticates_at_the_handshake(stage: Stage) -> None:
    client = stage.connect(bearer=stage.token("alice"))
    assert client.authenticated
    assert client.join()["you"]["identity"] == "alice"
    assert stage.connect(bearer="rubbish").closed == (4501, "the token is not a JWT")


def test_join_in_one_flight_and_the_others_are_told(stage: Stage) -> None:
    alice = stage.enter("alice", role="owner")
    bob = stage.connect()
    reply = bob.join(token=stage.token("bob"), name="Bob", attributes={"team": "blue"})
    assert reply["you"]["identity"] == "bob"
    assert reply["peers"] == [{"peer": alice.peer, "identity": "alice", "role": "owner"}]
    assert reply["resumed"] is False
    assert alice.take() == [
        {
            "event": "peerJoined",
            "peer": bob.peer,
            "identity": "bob",
            "role": "participant",
            "name": "Bob",
            "attributes": {"team": "blue"},
        }
    ]
    assert bob.take() == []


def test_joining_the_same_room_again_is_the_same_snapshot_and_no_event(stage: Stage) -> None:
    alice, bob = stage.enter("alice"), stage.enter("bob")
    alice.take()
    again = bob.call("join", room="room")
    assert again["you"]["peer"] == bob.peer
    assert again["seq"] == bob.seq
    assert alice.take() == []
    with pytest.raises(Refusal, match="wrong_state"):
        bob.call("join", room="other")


def test_a_token_is_for_its_room_only(stage: Stage) -> None:
    client = stage.connect()
    with pytest.raises(Refusal) as refused:
        client.call("join", room="other", token=stage.token("alice", room="room"))
    assert refused.value.data["need"] == "room"
    with pytest.raises(Refusal) as refused:
        stage.connect().call("join", room="room", token=stage.token("bob", roomJoin=False))
    assert refused.value.data["need"] == "roomJoin"
    assert stage.plane.sessions.rooms == {}


def test_leave_closes_producers_first_and_then_the_socket(stage: Stage) -> None:
    alice, bob = stage.enter("alice"), stage.enter("bob")
    bob.call("createProducer", id="mic", transport="t", kind="audio", source="microphone")
    alice.take()
    assert bob.call("leave") == {}
    assert bob.closed == (1000, "left")
    assert alice.take() == [
        {"event": "producerClosed", "id": "mic", "peer": bob.peer, "reason": "left"},
        {"event": "peerLeft", "peer": bob.peer, "reason": "left"},
    ]
    bob.lose()  # the socket's end says nothing new
    stage.advance(60)
    assert alice.take() == []


def test_an_empty_room_is_gone(stage: Stage) -> None:
    stage.enter("alice").call("leave")
    assert stage.plane.sessions.rooms == {}
    assert stage.plane.sessions.sessions == {}


def test_a_flap_stays_hidden(stage: Stage) -> None:
    alice, bob = stage.enter("alice"), stage.enter("bob")
    alice.take()
    bob.lose()
    stage.advance(1.9)
    again = stage.connect(bearer=stage.token("bob"))
    reply = again.resume(bob)
    assert reply["resumed"] is True
    assert reply["missed"] == []
    stage.advance(60)
    assert alice.take() == []


def test_a_loss_is_shown_after_two_seconds_and_ends_after_the_grace_period(stage: Stage) -> None:
    alice, bob = stage.enter("alice"), stage.enter("bob")
    alice.take()
    bob.lose()
    stage.advance(1.99)
    assert alice.take() == []
    stage.advance(0.02)
    assert alice.take() == [{"event": "peerSuspended", "peer": bob.peer}]
    stage.advance(7.9)
    assert alice.take() == []
    stage.advance(0.2)
    assert alice.take() == [{"event": "peerLeft", "peer": bob.peer, "reason": "timeout"}]
    with pytest.raises(Refusal, match="not_found"):
        stage.connect(bearer=stage.token("bob")).resume(bob)


def test_resume_replays_what_was_missed_in_order(stage: Stage) -> None:
    alice, bob = stage.enter("alice"), stage.enter("bob")
    bob.take()
    bob.lose()
    alice.call("createProducer", id="cam", transport="t", kind="video", source="camera")
    alice.call("pauseProducer", id="cam")
    carol = stage.enter("carol")
    stage.advance(3)
    again = stage.connect(bearer=stage.token("bob"))
    reply = again.resume(bob)
    assert again.peer == bob.peer
    assert [each["event"] for each in again.take()] == ["producerAdded", "producerPaused", "peerJoined"]
    assert [each["id"] for each in reply["producers"]] == ["cam"]
    assert {"event": "peerResumed", "peer": bob.peer} in carol.take()
    alice.call("resumeProducer", id="cam")
    assert [each["event"] for each in again.take()] == ["producerResumed"]


def test_resume_over_a_trimmed_log_is_a_snapshot() -> None:
    stage = Stage(node_settings(limits={"log_events": 4}))
    alice, bob = stage.enter("alice"), stage.enter("bob")
    bob.lose()
    for number in range(5):
        alice.call("createProducer", id=f"p{number}", transport="t", kind="video", source="camera")
    again = stage.connect(bearer=stage.token("bob"))
    reply = again.resume(bob)
    assert reply["missed"] == "snapshot"
    assert len(reply["producers"]) == 5
    alice.call("closeProducer", id="p0")
    assert [each["event"] for each in again.take()] == ["producerClosed"]


def test_events_that_nobody_can_come_back_for_are_forgotten() -> None:
    stage = Stage(node_settings(limits={"log_seconds": 30}))
    alice = stage.enter("alice")
    log = stage.plane.sessions.rooms["room"].log
    stage.advance(29)
    alice.call("createProducer", id="cam", transport="t", kind="video", source="camera")
    last = log.seq
    stage.advance(30)
    entries = log.after(last - 1)
    assert entries is not None and [entry.kind.method for entry in entries] == ["producerAdded"]
    alice.call("pauseProducer", id="cam")
    stage.advance(2)
    assert log.after(last - 1) is None
    assert len(log) == 1
    stage.advance(60)
    assert len(log) == 0


def test_a_ticket_works_once_and_only_for_its_identity(stage: Stage) -> None:
    stage.enter("alice")
    bob = stage.enter("bob")
    bob.lose()
    with pytest.raises(Refusal, match="not_found"):
        stage.connect(bearer=stage.token("mallory")).resume(bob)
    again = stage.connect(bearer=stage.token("bob"))
    again.resume(bob)
    with pytest.raises(Refusal, match="not_found"):
        stage.connect(bearer=stage.token("bob")).resume(bob)
    assert again.closed is None


def test_resume_before_the_loss_was_noticed_takes_the_session_over(stage: Stage) -> None:
    bob = stage.enter("bob")
    again = stage.connect(bearer=stage.token("bob"))
    again.resume(bob)
    assert bob.closed is not None
    assert bob.closed[0] == 4504
    bob.lose()
    stage.advance(60)
    assert again.call("roomInfo")["counts"]["peers"] == 1


def test_disconnect_keeps_the_seat(stage: Stage) -> None:
    alice, bob = stage.enter("alice"), stage.enter("bob")
    alice.take()
    reply = bob.call("disconnect")
    assert reply["graceUntil"] == int((stage.now + 1_700_000_000 + 10) * 1000)
    assert bob.closed == (1000, "kept")
    bob.lose()
    stage.advance(5)
    stage.connect(bearer=stage.token("bob")).resume(bob)
    assert [each["event"] for each in alice.take()] == ["peerSuspended", "peerResumed"]
    carol = stage.enter("carol")
    alice.take()
    carol.call("disconnect", keep=False)
    assert [each["event"] for each in alice.take()] == ["peerLeft"]


def test_the_same_identity_replaces_its_earlier_session(stage: Stage) -> None:
    alice, bob = stage.enter("alice"), stage.enter("bob")
    alice.take()
    other = stage.enter("bob")
    assert bob.closed is not None
    assert bob.closed[0] == 4504
    assert alice.take() == [
        {"event": "peerLeft", "peer": bob.peer, "reason": "replaced"},
        {"event": "peerJoined", "peer": other.peer, "identity": "bob", "role": "participant"},
    ]
    bob.lose()
    assert other.call("roomInfo")["counts"]["peers"] == 2
    with pytest.raises(Refusal, match="conflict"):
        stage.connect().call("join", room="room", token=stage.token("bob"), onDuplicate="reject")


def test_caps_are_exact_and_a_replacement_needs_no_further_seat() -> None:
    stage = Stage(node_settings(limits={"room_participants": 2, "rooms": 1}))
    stage.enter("alice")
    stage.enter("bob")
    with pytest.raises(Refusal, match="room_full"):
        stage.enter("carol")
    stage.enter("bob")
    with pytest.raises(Refusal, match="limit"):
        stage.enter("dave", room="second")
    assert len(stage.plane.sessions.sessions) == 2


def test_heartbeat_echoes_and_tells_the_last_number_sent(stage: Stage) -> None:
    alice = stage.enter("alice")
    stage.enter("bob")
    assert alice.call("heartbeat", t=12.5) == {
        "t": 12.5,
        "serverTime": int((stage.now + 1_700_000_000) * 1000),
        "seq": alice.seq,
    }


def test_what_all_have_seen_is_not_kept(stage: Stage) -> None:
    alice, bob = stage.enter("alice"), stage.enter("bob")
    for number in range(6):
        alice.call("createProducer", id=f"p{number}", transport="t", kind="video", source="camera")
    bob.call("heartbeat", t=0, seqSeen=bob.seq)
    log = stage.plane.sessions.rooms["room"].log
    assert log.seq == bob.seq > alice.seq, "of her own producers Alice is told nothing"
    assert len(log) == log.seq - 1, "Alice has not said yet what she has seen"
    alice.call("heartbeat", t=0, seqSeen=alice.seq)
    assert len(log) == 0


def test_what_somebody_missed_is_kept_whatever_others_have_seen(stage: Stage) -> None:
    alice, bob = stage.enter("alice"), stage.enter("bob")
    for number in range(3):
        alice.call("createProducer", id=f"p{number}", transport="t", kind="video", source="camera")
    bob.call("heartbeat", t=0, seqSeen=bob.seq)
    bob.lose()
    for number in range(3, 6):
        alice.call("createProducer", id=f"p{number}", transport="t", kind="video", source="camera")
    alice.call("heartbeat", t=0, seqSeen=alice.seq)
    back = stage.connect(bearer=stage.token("bob")).resume(bob)
    assert [missed["params"]["id"] for missed in back["missed"]] == ["p3", "p4", "p5"]


def test_who_has_seen_all_that_was_for_it_misses_nothing_of_what_was_for_others(stage: Stage) -> None:
    alice, bob = stage.enter("alice"), stage.enter("bob")
    for number in range(3):
        alice.call("createProducer", id=f"p{number}", transport="t", kind="video", source="camera")
    for client in (alice, bob):
        client.call("heartbeat", t=0, seqSeen=client.seq)
    alice.lose()
    bob.call("createProducer", id="q", transport="t", kind="audio", source="microphone")
    missed = stage.connect(bearer=stage.token("alice")).resume(alice)["missed"]
    assert [(event["params"]["prev"], event["params"]["id"]) for event in missed] == [(alice.seq, "q")]


def test_the_last_to_leave_what_nobody_else_needs_takes_it_along(stage: Stage) -> None:
    alice, bob, carol = (stage.enter(name) for name in ("alice", "bob", "carol"))
    for number in range(3):
        alice.call("createProducer", id=f"p{number}", transport="t", kind="video", source="camera")
    for client in (alice, bob):
        client.call("heartbeat", t=0, seqSeen=client.seq)
    log = stage.plane.sessions.rooms["room"].log
    assert len(log) >= 3
    carol.call("leave")
    assert len(log) == 1, "that she left"


def test_room_info_of_the_own_room_and_of_others_with_room_list(stage: Stage) -> None:
    alice = stage.enter("alice")
    info = alice.call("roomInfo")
    assert info["counts"] == {"peers": 1, "producers": 0}
    assert alice.call("roomInfo", ifVersion=info["version"]) == {"unchanged": True}
    outsider = stage.connect(bearer=stage.token("eve"))
    with pytest.raises(Refusal, match="forbidden"):
        outsider.call("roomInfo", room="room")
    operator = stage.connect(bearer=stage.token("op", roomList=True))
    assert operator.call("roomInfo", room="room", fields=["peers"])["peers"][0]["identity"] == "alice"
    with pytest.raises(Refusal, match="not_found"):
        operator.call("roomInfo", room="nowhere")


def test_room_info_pages(stage: Stage) -> None:
    clients = [stage.enter(f"user{number}") for number in range(201)]
    first = clients[0].call("roomInfo", fields=["peers"])
    second = clients[0].call("roomInfo", fields=["peers"], cursor=first["cursor"])
    assert len(first["peers"]) == 200
    assert len(second["peers"]) == 1
    assert "cursor" not in second


def test_a_hidden_participant_is_not_seen(stage: Stage) -> None:
    alice = stage.enter("alice")
    ghost = stage.connect()
    ghost.join(token=stage.token("ghost", hidden=True))
    assert alice.take() == []
    assert [each["identity"] for each in alice.call("roomInfo")["peers"]] == ["alice"]
    ghost.call("leave")
    assert alice.take() == []


def test_subscribe_none_is_told_of_no_producers(stage: Stage) -> None:
    alice = stage.enter("alice")
    alice.call("createProducer", id="cam", transport="t", kind="video", source="camera")
    sender = stage.enter("sender", subscribe="none")
    alice.call("closeProducer", id="cam")
    stage.enter("carol")
    assert [each["event"] for each in sender.take()] == ["peerJoined"]


def test_messagepack_speaks_the_same_protocol(stage: Stage) -> None:
    alice = stage.enter("alice", binary=True)
    bob = stage.enter("bob")
    assert alice.take()[0]["identity"] == "bob"
    bob.lose()
    again = stage.connect(bearer=stage.token("bob"), binary=True)
    alice.call("createProducer", id="cam", transport="t", kind="video", source="camera")
    again.resume(bob)
    assert [each["event"] for each in again.take()] == ["producerAdded"]


def test_what_room_info_calls_unchanged_is_unchanged(stage: Stage) -> None:
    alice, bob = stage.enter("alice"), stage.enter("bob")
    version = alice.call("roomInfo")["version"]
    assert alice.call("roomInfo", ifVersion=version) == {"unchanged": True}
    bob.lose()
    stage.advance(2)
    lost = alice.call("roomInfo", ifVersion=version)
    assert [each.get("suspended", False) for each in lost["peers"]] == [False, True]
    again = stage.connect(bearer=stage.token("bob"))
    again.resume(bob)
    back = alice.call("roomInfo", ifVersion=lost["version"])
    assert [each.get("suspended", False) for each in back["peers"]] == [False, False]


def test_a_version_of_an_earlier_room_of_this_name_is_not_a_later_ones(stage: Stage) -> None:
    first = stage.enter("alice")
    before = {first.call("roomInfo")["version"]}
    for identity in ("bob", "carol"):
        stage.enter(identity).call("leave")
        before.add(first.call("roomInfo")["version"])
    first.call("leave")
    assert stage.enter("dave").call("roomInfo")["version"] > max(before)
