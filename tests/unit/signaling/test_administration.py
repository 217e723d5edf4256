"""Locks, kicks, bans and roles (protocol § 5, RoomAdminHandler)."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.plane import Client, Refusal, Stage
from palaver.errors import StartError
from palaver.ledger import MemoryLedger, SqliteLedger
from palaver.protocol.close_codes import CloseCode


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def owner(stage: Stage) -> Client:
    return stage.enter("olivia", role="owner")


def test_a_lock_keeps_out_but_evicts_nobody(stage: Stage, owner: Client) -> None:
    bob = stage.enter("bob")
    bob.take()
    reply = owner.call("lockRoom", mode="closed", message="we have begun")
    assert reply["changed"] is True
    assert bob.take() == [
        {"event": "roomLocked", "by": owner.peer, "mode": "closed", "message": "we have begun"}
    ]
    with pytest.raises(Refusal, match="we have begun") as refused:
        stage.enter("carol")
    assert refused.value.code == -32011
    assert refused.value.data["retry"] == "never"
    assert bob.call("roomInfo")["room"]["locked"] is True
    again = owner.call("lockRoom", mode="closed", message="we have begun")
    assert again == {"version": reply["version"], "changed": False}
    assert bob.take() == []
    assert owner.call("unlockRoom")["changed"] is True
    assert bob.take() == [{"event": "roomUnlocked", "by": owner.peer}]
    assert owner.call("unlockRoom")["changed"] is False
    stage.enter("carol")


def test_a_lock_stops_no_resume_and_no_replacement(stage: Stage, owner: Client) -> None:
    bob = stage.enter("bob")
    bob.lose()
    owner.call("lockRoom", mode="closed")
    again = stage.connect(bearer=stage.token("bob"))
    assert again.resume(bob)["resumed"] is True
    assert stage.enter("bob").peer != bob.peer


def test_moderators_and_those_on_the_list_pass_a_lock(stage: Stage, owner: Client) -> None:
    owner.call("lockRoom", mode="closed", admit=["guest"])
    stage.enter("mo", role="moderator")
    stage.enter("guest")
    with pytest.raises(Refusal, match="room_locked"):
        stage.enter("stranger")


def test_knocking_is_told_to_moderators_only(stage: Stage, owner: Client) -> None:
    bob = stage.enter("bob")
    owner.call("lockRoom", mode="knock")
    owner.take()
    bob.take()
    with pytest.raises(Refusal, match="room_locked") as refused:
        stage.enter("carol", name="Carol")
    assert refused.value.data["mode"] == "knock"
    assert owner.take() == [{"event": "peerKnocking", "identity": "carol", "name": "Carol"}]
    assert bob.take() == []


def test_who_knocks_in_one_flight_waits_on_the_same_socket(stage: Stage, owner: Client) -> None:
    owner.call("lockRoom", mode="knock")
    carol = stage.connect()
    with pytest.raises(Refusal, match="room_locked"):
        carol.join(token=stage.token("carol"))
    assert carol.authenticated
    owner.call("lockRoom", mode="knock", admit=["carol"])
    assert carol.join()["you"]["identity"] == "carol"
    owner.call("lockRoom", mode="closed")
    dave = stage.connect()
    with pytest.raises(Refusal, match="room_locked"):
        dave.join(token=stage.token("dave"))
    assert not dave.authenticated


def knock(stage: Stage, identity: str) -> None:
    with pytest.raises(Refusal, match="room_locked"):
        stage.enter(identity)


def test_a_knock_is_told_once_in_ten_seconds(stage: Stage, owner: Client) -> None:
    owner.call("lockRoom", mode="knock")
    for _ in range(5):
        knock(stage, "carol")
    knock(stage, "dave")
    assert [each["identity"] for each in owner.take()] == ["carol", "dave"]
    stage.advance(10)
    knock(stage, "carol")
    assert [each["identity"] for each in owner.take()] == ["carol"]
    owner.call("lockRoom", mode="knock", message="once more")
    knock(stage, "carol")
    assert [each["identity"] for each in owner.take()] == ["carol"]


def test_many_who_knock_are_told_a_hundred_at_a_time(stage: Stage, owner: Client) -> None:
    owner.call("lockRoom", mode="knock")
    for number in range(150):
        knock(stage, f"guest{number}")
    assert len(owner.take()) == 100
    stage.advance(10)
    knock(stage, "guest149")
    assert len(owner.take()) == 1


def test_a_stale_version_is_a_conflict(stage: Stage, owner: Client) -> None:
    version = owner.call("roomInfo")["version"]
    stage.enter("bob")
    with pytest.raises(Refusal, match="conflict") as refused:
        owner.call("lockRoom", ifVersion=version)
    owner.call("lockRoom", ifVersion=refused.value.data["version"])


def test_administration_is_for_moderators(stage: Stage) -> None:
    alice, bob = stage.enter("alice"), stage.enter("bob")
    requests = {
        "lockRoom": {},
        "unlockRoom": {},
        "kickUser": {"peer": bob.peer},
        "setRole": {"peer": alice.peer, "role": "owner"},
    }
    bob.take()
    for method, params in requests.items():
        with pytest.raises(Refusal, match="forbidden") as refused:
            alice.call(method, **params)
        assert refused.value.data["need"] == "roomAdmin"
    assert bob.take() == []


def test_kick(stage: Stage, owner: Client) -> None:
    bob, carol = stage.enter("bob"), stage.enter("carol")
    bob.take()
    carol.take()
    owner.take()
    reply = owner.call("kickUser", peer=bob.peer, reason="noise")
    assert reply == {"kicked": True, "converged": True}
    assert bob.take() == [{"event": "youKicked", "by": owner.peer, "reason": "noise"}]
    assert bob.closed == (4502, "noise")
    left = {"event": "peerLeft", "peer": bob.peer, "reason": "kicked", "by": owner.peer}
    assert carol.take() == [left]
    assert owner.take() == [left]
    bob.lose()
    stage.advance(60)
    with pytest.raises(Refusal, match="not_found"):
        stage.connect(bearer=stage.token("bob")).resume(bob)


def test_nobody_kicks_at_or_above_their_own_role(stage: Stage, owner: Client) -> None:
    moderator, other = stage.enter("mo", role="moderator"), stage.enter("mia", role="moderator")
    for target in (owner, other, moderator):
        with pytest.raises(Refusal, match="forbidden"):
            moderator.call("kickUser", peer=target.peer)
    owner.call("kickUser", identity="mo")
    assert moderator.closed is not None


def test_a_suspended_participant_can_be_kicked(stage: Stage, owner: Client) -> None:
    bob = stage.enter("bob")
    bob.lose()
    owner.call("kickUser", identity="bob")
    stage.advance(60)
    assert [each["reason"] for each in owner.take("peerLeft")] == ["kicked"]


def test_a_ban_ends_when_it_says_and_not_before(stage: Stage, owner: Client) -> None:
    bob = stage.enter("bob")
    reply = owner.call("kickUser", peer=bob.peer, ban={"scope": "room", "ttlS": 60})
    assert reply["banId"]
    assert bob.closed is not None
    assert bob.closed[0] == 4503
    with pytest.raises(Refusal, match="banned") as refused:
        stage.enter("bob")
    assert (refused.value.data["retry"], refused.value.data["afterMs"]) == ("same", 60_000)
    stage.enter("bob", room="elsewhere")
    stage.advance(61)
    stage.enter("bob")


def test_a_ban_from_everywhere_also_holds_for_who_is_absent(stage: Stage, owner: Client) -> None:
    reply = owner.call("kickUser", identity="mallory", ban={"scope": "all"})
    assert reply["kicked"] is False
    for room in ("room", "elsewhere"):
        with pytest.raises(Refusal, match="banned"):
            stage.enter("mallory", room=room)


def test_bans_and_revocations_survive_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "state" / "rulings.sqlite"
    ledger = SqliteLedger(path)
    stage = Stage(ledger=ledger)
    owner, bob = stage.enter("olivia", role="owner"), stage.enter("bob")
    old = stage.token("carol")
    stage.advance(2)
    owner.call("kickUser", peer=bob.peer, ban={"scope": "room"})
    stage.enter("carol")
    owner.call("kickUser", identity="carol", revokeBefore=stage.now + 1_700_000_000)
    ledger.close()
    assert path.stat().st_mode & 0o777 == 0o600

    reopened = SqliteLedger(path)
    later = Stage(ledger=reopened)
    with pytest.raises(Refusal, match="banned"):
        later.enter("bob")
    with pytest.raises(Refusal, match="token_revoked"):
        later.connect().join(token=old)
    later.advance(10)
    later.enter("carol")
    reopened.close()


def test_a_ban_at_another_worker_ends_the_stays_below_its_maker(tmp_path: Path) -> None:
    ledgers = [SqliteLedger(tmp_path / "rulings.sqlite") for _ in range(2)]
    here, there = (Stage(ledger=ledger) for ledger in ledgers)
    moderator = here.enter("mo", role="moderator")
    here.enter("bob"), here.enter("olivia")
    watcher, bob = there.enter("will"), there.enter("bob")
    owner = there.enter("olivia", role="owner")
    watcher.take()
    for identity in ("bob", "olivia"):
        moderator.call("kickUser", identity=identity, ban={"scope": "all"})
    there.plane.administration.catch_up()
    there.plane.sessions.deliver_all()
    assert (bob.closed, owner.closed) == ((CloseCode.BANNED, "kicked"), None)
    assert [(told["event"], told["by"]) for told in watcher.take()] == [("peerLeft", "hidden")]
    for identity in ("bob", "olivia"):
        with pytest.raises(Refusal, match="banned"):
            there.enter(identity, room="another")
    for ledger in ledgers:
        ledger.close()


def test_what_cannot_be_kept_is_not_acknowledged_and_does_not_hold() -> None:
    class FullDisk(MemoryLedger):
        def record(self, rulings: object) -> None:
            raise OSError(28, "No space left on device")

    stage = Stage(ledger=FullDisk())
    owner, bob = stage.enter("olivia", role="owner"), stage.enter("bob")
    with pytest.raises(Refusal, match="unavailable"):
        owner.call("kickUser", peer=bob.peer, ban={"scope": "room"})
    assert bob.closed is None
    stage.enter("bob")


def test_a_ledger_that_cannot_be_opened_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"node\.state_dir"):
        SqliteLedger(tmp_path)


def test_set_role_up_to_ones_own(stage: Stage, owner: Client) -> None:
    moderator, bob = stage.enter("mo", role="moderator"), stage.enter("bob")
    for client in (owner, bob):
        client.take()
    reply = moderator.call("setRole", peer=bob.peer, role="moderator")
    assert reply["role"] == "moderator"
    assert reply["grants"]["roomAdmin"] is True
    assert owner.take() == [
        {"event": "peerRole", "peer": bob.peer, "role": "moderator", "by": moderator.peer}
    ]
    assert bob.take()[0]["event"] == "youRole"
    with pytest.raises(Refusal, match="forbidden"):
        moderator.call("setRole", peer=bob.peer, role="owner")
    with pytest.raises(Refusal, match="forbidden"):
        moderator.call("setRole", peer=owner.peer, role="participant")
    with pytest.raises(Refusal, match="forbidden"):
        moderator.call("setRole", peer=moderator.peer, role="owner")
    assert bob.call("lockRoom")["changed"] is True


def test_a_demotion_outlives_the_seat_but_not_a_newer_token(stage: Stage, owner: Client) -> None:
    stage.advance(2)
    old = stage.token("mo", role="moderator")
    moderator = stage.connect()
    moderator.join(token=old)
    stage.advance(2)
    owner.call("setRole", peer=moderator.peer, role="observer")
    again = stage.connect()
    assert again.join(token=old)["you"]["role"] == "observer"
    with pytest.raises(Refusal, match="forbidden"):
        again.call("kickUser", peer=owner.peer)
    producers = [{"transport": "t", "kind": "audio", "source": "microphone"}]
    with pytest.raises(Refusal, match="forbidden"):
        stage.connect().call("join", room="room", token=old, producers=producers)
    refreshed = again.call("refreshToken")["token"]
    assert stage.connect().join(token=refreshed)["you"]["role"] == "observer"
    owner.call("lockRoom", admit=["mo"])
    elsewhere = stage.connect()
    elsewhere.call("auth", token=old)
    stage.advance(2)
    refreshed = elsewhere.call("refreshToken")["token"]
    last = stage.connect()
    assert last.join(token=refreshed)["you"]["role"] == "observer"
    last.call("leave")
    owner.call("lockRoom")
    with pytest.raises(Refusal, match="room_locked"):
        stage.connect().call("join", room="room", token=old)
    owner.call("unlockRoom")
    stage.advance(2)
    assert stage.connect().join(token=stage.token("mo", role="moderator"))["you"]["role"] == "moderator"
    assert stage.connect().join("elsewhere", token=old)["you"]["role"] == "moderator"


def test_a_demotion_that_is_taken_back_is_forgotten(stage: Stage, owner: Client) -> None:
    moderator = stage.enter("mo", role="moderator")
    for role in ("participant", "moderator"):
        owner.call("setRole", peer=moderator.peer, role=role)
    assert stage.connect().join(token=stage.token("mo", role="moderator"))["you"]["role"] == "moderator"


def test_the_last_owner_stays(stage: Stage, owner: Client) -> None:
    with pytest.raises(Refusal, match="conflict"):
        owner.call("setRole", peer=owner.peer, role="participant")
    second = stage.enter("second")
    owner.call("setRole", peer=second.peer, role="owner")
    owner.call("setRole", peer=owner.peer, role="participant")


def test_who_loses_the_right_to_publish_loses_the_producers(stage: Stage, owner: Client) -> None:
    bob, carol = stage.enter("bob"), stage.enter("carol")
    bob.call("createProducer", id="mic", transport="t", kind="audio", source="microphone")
    bob.take()
    carol.take()
    owner.call("setRole", peer=bob.peer, role="observer")
    assert [each["event"] for each in carol.take()] == ["peerRole", "producerClosed"]
    told = bob.take()
    assert [each["event"] for each in told] == ["youRole", "producerClosed"]
    assert told[0]["grants"]["canPublish"] is False
    with pytest.raises(Refusal, match="forbidden"):
        bob.call("createProducer", transport="t", kind="audio", source="microphone")
