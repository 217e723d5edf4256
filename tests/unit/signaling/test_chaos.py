"""chaosInject: faults on purpose that clients survive (protocol § 5, DiagnosticsHandler)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.plane import Client, Refusal, Stage
from harness.settings import node_settings


@pytest.fixture
def stage() -> Stage:
    return Stage(node_settings(chaos=True))


def enter(stage: Stage, identity: str) -> Client:
    client = stage.connect()
    client.join(token=stage.token(identity, chaos=True))
    return client


def seen(client: Client) -> list[tuple[int, int]]:
    """(seq, prev) of the events since, from the wire; the client's own check of gaps is switched off."""
    messages: list[dict[str, Any]] = [json.loads(raw) for raw in client.raw]
    client.raw.clear()
    return [(m["params"]["seq"], m["params"]["prev"]) for m in messages if "method" in m]


def make_events(stage: Stage, actor: Client, count: int = 3) -> None:
    for number in range(count):
        actor.call("createProducer", id=f"{stage.now}-{number}", transport="t", kind="video", source="camera")


def test_chaos_is_off_unless_switched_on_and_granted(stage: Stage) -> None:
    with pytest.raises(Refusal, match="chaos is off"):
        enter(Stage(), "alice").call("chaosInject", fault="drop", scope="self")
    with pytest.raises(Refusal, match="forbidden") as refused:
        stage.enter("bob").call("chaosInject", fault="drop", scope="self")
    assert refused.value.data["need"] == "chaos"
    assert stage.plane.sessions.faults.active == []
    with pytest.raises(Refusal, match="invalid_params"):
        enter(stage, "carol").call("chaosInject", fault="drop", scope="self", ttlS=301)


def test_dropped_events_leave_a_gap_that_a_resume_closes(stage: Stage) -> None:
    alice, bob = stage.enter("alice"), enter(stage, "bob")
    reply = bob.call("chaosInject", fault="drop", scope="self", ttlS=5)
    assert reply["until"] == int((stage.now + 1_700_000_000 + 5) * 1000)
    make_events(stage, alice)
    assert bob.take() == []
    stage.advance(6)
    bob.raw.clear()
    bob.seq = 0  # this client looks itself
    make_events(stage, alice, 1)
    ((seq, prev),) = seen(bob)
    assert prev == seq - 1
    bob.seq = seq - 4
    bob.lose()
    again = stage.connect(bearer=stage.token("bob"))
    assert len(again.resume(bob)["missed"]) == 4


@pytest.mark.parametrize(
    ("fault", "more", "order"),
    [
        ("duplicate", {}, [3, 3, 4, 4, 5, 5]),
        ("reorder", {}, [4, 3]),
        ("delay", {"ms": 500}, []),
        ("partition", {}, []),
    ],
)
def test_other_faults_of_messages(stage: Stage, fault: str, more: dict[str, Any], order: list[int]) -> None:
    alice, bob = stage.enter("alice"), enter(stage, "bob")
    bob.seq = 0
    bob.call("chaosInject", fault=fault, scope="room", **more)
    bob.raw.clear()
    if fault == "partition":
        request = bob.request("heartbeat", t=1)
        assert request not in bob.replies
        alice_hears = alice.request("heartbeat", t=1)
        assert alice_hears not in alice.replies
        return
    alice.seq = 0
    make_events(stage, alice)
    got = [seq for seq, _ in seen(bob)]
    assert got == order
    stage.advance(0.6)
    late = {"delay": [3, 4, 5], "reorder": [5]}
    assert [seq for seq, _ in seen(bob)] == late.get(fault, [])


def test_a_fault_ends_by_itself_and_is_counted(stage: Stage) -> None:
    alice, bob = stage.enter("alice"), enter(stage, "bob")
    bob.call("chaosInject", fault="drop", scope="self", ttlS=1)
    make_events(stage, alice, 2)
    stage.advance(1.1)
    faults = stage.plane.sessions.faults
    assert faults.active == []
    assert (faults.injected["drop"], faults.struck["drop"]) == (1, 2)


@pytest.mark.parametrize(("fault", "code"), [("killSession", 4010), ("slowConsumer", 4002), ("drain", 4001)])
def test_faults_of_sessions_close_with_their_code(stage: Stage, fault: str, code: int) -> None:
    alice, bob = enter(stage, "alice"), stage.enter("bob")
    assert alice.call("chaosInject", fault=fault, scope="room")["faultId"]
    for client in (alice, bob):
        assert client.closed is not None
        assert client.closed[0] == code
        client.lose()
    identity = {"alice": alice, "bob": bob}
    for name, before in identity.items():
        assert stage.connect(bearer=stage.token(name)).resume(before)["resumed"] is True


def test_a_node_wide_drain_turns_readiness(stage: Stage) -> None:
    enter(stage, "alice").call("chaosInject", fault="drain", scope="node", ttlS=7)
    assert stage.drains == [7.0]


def test_a_drain_of_the_node_takes_no_newcomers_until_it_is_over(stage: Stage) -> None:
    alice = enter(stage, "alice")
    alice.call("chaosInject", fault="drain", scope="node", ttlS=30)
    assert alice.closed is not None and alice.closed[0] == 4001
    alice.lose()
    with pytest.raises(Refusal, match="node_draining"):
        enter(stage, "bob")
    again = stage.connect(bearer=stage.token("alice"))
    assert again.resume(alice)["resumed"] is True
    stage.advance(31)
    enter(stage, "bob")
