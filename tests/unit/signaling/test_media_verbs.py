"""Producers, consumers, mute: bookkeeping that holds with or without a media node (protocol § 5)."""

from __future__ import annotations

from typing import Any

import pytest

from harness.plane import Client, Refusal, Stage
from harness.settings import node_settings


@pytest.fixture
def stage() -> Stage:
    return Stage()


def publish(client: Client, id: str = "mic", source: str = "microphone", **more: Any) -> Any:
    kind = {"microphone": "audio", "camera": "video", "screen": "video", "data": "data"}[source]
    return client.call("createProducer", id=id, transport="send", kind=kind, source=source, **more)


def test_create_producer_is_told_to_the_others_only(stage: Stage) -> None:
    alice, bob = stage.enter("alice"), stage.enter("bob")
    alice.take()
    reply = publish(alice, label="desk")
    assert reply == {"id": "mic", "paused": False, "layers": [], "limits": {"producers": 20}}
    assert bob.take() == [
        {
            "event": "producerAdded",
            "id": "mic",
            "peer": alice.peer,
            "kind": "audio",
            "source": "microphone",
            "paused": False,
            "label": "desk",
        }
    ]
    assert alice.take() == []
    assert publish(alice) == reply
    assert bob.take() == []
    with pytest.raises(Refusal, match="conflict"):
        publish(bob)


def test_publishing_needs_the_grant_and_the_source(stage: Stage) -> None:
    listener = stage.connect()
    listener.join(token=stage.token("listener", canPublish=False))
    with pytest.raises(Refusal) as refused:
        publish(listener)
    assert refused.value.data["need"] == "canPublish"
    speaker = stage.connect()
    speaker.join(token=stage.token("speaker", canPublishSources=["microphone"]))
    publish(speaker)
    with pytest.raises(Refusal, match="forbidden"):
        publish(speaker, id="cam", source="camera")
    with pytest.raises(Refusal, match="forbidden"):
        publish(stage.enter("observer", role="observer"), id="x")
    with pytest.raises(Refusal, match="invalid_params"):
        speaker.call("createProducer", transport="t", kind="audio", source="camera")


def test_at_most_twenty_producers() -> None:
    alice = Stage(node_settings(limits={"producers_per_peer": 2})).enter("alice")
    publish(alice, "a")
    publish(alice, "b")
    with pytest.raises(Refusal, match="limit"):
        publish(alice, "c")


def test_close_producer_takes_its_consumers_along(stage: Stage) -> None:
    alice, bob = stage.enter("alice"), stage.enter("bob")
    publish(alice)
    bob.call("createConsumer", id="c", producer="mic", transport="recv")
    bob.take()
    assert alice.call("closeProducer", id="mic") == {"changed": True}
    assert bob.take() == [
        {"event": "producerClosed", "id": "mic", "peer": alice.peer, "reason": "closed"},
        {"event": "consumerClosed", "id": "c", "producer": "mic", "reason": "closed"},
    ]
    assert alice.call("closeProducer", id="mic") == {"changed": False}
    assert bob.call("closeConsumer", id="c") == {"changed": False}
    with pytest.raises(Refusal, match="not_found"):
        alice.call("closeProducer", id="never")


def test_only_owner_or_moderator_closes(stage: Stage) -> None:
    alice, bob = stage.enter("alice"), stage.enter("bob")
    moderator = stage.enter("mo", role="moderator")
    publish(alice)
    with pytest.raises(Refusal, match="forbidden"):
        bob.call("closeProducer", id="mic")
    alice.take()
    moderator.call("closeProducer", id="mic", reason="noise")
    assert alice.take() == [{"event": "producerClosed", "id": "mic", "peer": alice.peer, "reason": "noise"}]


def test_two_pause_bits_and_events_only_when_the_effective_state_changes(stage: Stage) -> None:
    alice, bob = stage.enter("alice"), stage.enter("bob")
    moderator = stage.enter("mo", role="moderator")
    publish(alice)
    bob.take()
    reply = alice.call("pauseProducer", id="mic")
    assert reply == {"paused": {"self": True, "moderator": False}, "changed": True}
    assert alice.call("pauseProducer", id="mic")["changed"] is False
    assert moderator.call("pauseProducer", id="mic")["paused"] == {"self": True, "moderator": True}
    assert alice.call("resumeProducer", id="mic")["paused"] == {"self": False, "moderator": True}
    assert [each["event"] for each in bob.take()] == ["producerPaused"]
    moderator.call("resumeProducer", id="mic")
    assert [each["event"] for each in bob.take()] == ["producerResumed"]
    with pytest.raises(Refusal, match="forbidden"):
        bob.call("pauseProducer", id="mic")


def test_consumers_are_born_paused_and_set_in_bulk(stage: Stage) -> None:
    alice, bob = stage.enter("alice"), stage.enter("bob")
    publish(alice)
    publish(alice, "cam", "camera", paused=True)
    items = [{"producer": "mic", "id": "a"}, {"producer": "cam", "id": "b"}, {"producer": "no"}]
    replies = bob.call("createConsumer", transport="recv", items=items)["items"]
    assert replies[0] == {
        "id": "a",
        "producer": "mic",
        "kind": "audio",
        "producerPaused": False,
        "paused": True,
    }
    assert replies[1]["producerPaused"] is True
    assert replies[2]["error"]["data"]["reason"] == "not_found"
    assert bob.call("resumeConsumer", ids=["a", "b"]) == {"changed": True}
    assert bob.call("resumeConsumer", ids=["a", "b"]) == {"changed": False}
    assert bob.call("pauseConsumer", id="a") == {"changed": True}
    with pytest.raises(Refusal, match="not_found"):
        bob.call("pauseConsumer", ids=["a", "zzz"])
    assert bob.call("closeConsumer", ids=["a", "b"]) == {"changed": True}


def test_a_consumer_of_another_rooms_producer_is_as_good_as_absent(stage: Stage) -> None:
    publish(stage.enter("alice", room="one"))
    eve = stage.enter("eve", room="two")
    answers = []
    for producer in ("mic", "absent"):
        with pytest.raises(Refusal) as refused:
            eve.call("createConsumer", producer=producer, transport="recv")
        answers.append(str(refused.value))
    assert answers[0] == answers[1]


def test_consuming_needs_can_subscribe(stage: Stage) -> None:
    publish(stage.enter("alice"))
    deaf = stage.connect()
    deaf.join(token=stage.token("deaf", canSubscribe=False))
    with pytest.raises(Refusal) as refused:
        deaf.call("createConsumer", producer="mic", transport="recv")
    assert refused.value.data["need"] == "canSubscribe"


def test_an_allow_list_hides_a_producer_from_the_rest(stage: Stage) -> None:
    alice, bob, eve = (stage.enter(name) for name in ("alice", "bob", "eve"))
    publish(alice, allow=["bob"])
    assert [each["event"] for each in bob.take()] == ["peerJoined", "producerAdded"]
    assert eve.take() == []
    with pytest.raises(Refusal, match="not_found"):
        eve.call("createConsumer", producer="mic", transport="recv")
    assert stage.connect(bearer=stage.token("carol")).join()["producers"] == []
    bob.call("createConsumer", producer="mic", transport="recv")


def test_mute_oneself(stage: Stage) -> None:
    alice, bob = stage.enter("alice"), stage.enter("bob")
    publish(alice)
    bob.take()
    assert alice.call("mute", target="self") == {"affected": 1, "asked": 0}
    assert bob.take() == [
        {"event": "producerPaused", "id": "mic", "peer": alice.peer},
        {"event": "mediaMuted", "peer": alice.peer, "producers": ["mic"], "by": alice.peer},
    ]
    assert alice.call("mute", target="self") == {"affected": 0, "asked": 0}
    assert alice.call("unmute", target="self") == {"affected": 1, "asked": 0}
    assert [each["event"] for each in bob.take()] == ["producerResumed", "mediaUnmuted"]


def test_a_moderators_unmute_asks_and_opens_no_microphone(stage: Stage) -> None:
    alice, moderator = stage.enter("alice"), stage.enter("mo", role="moderator")
    publish(alice)
    alice.take()
    assert moderator.call("mute", target={"peer": alice.peer}) == {"affected": 1, "asked": 0}
    assert alice.take("youMuted") == [{"event": "youMuted", "by": moderator.peer, "producers": ["mic"]}]
    with_bit = alice.call("resumeProducer", id="mic")
    assert with_bit["paused"]["moderator"] is True
    assert moderator.call("unmute", target={"peer": alice.peer}) == {"affected": 0, "asked": 1}
    assert alice.take("youUnmuteRequested") == [
        {"event": "youUnmuteRequested", "by": moderator.peer, "producers": ["mic"]}
    ]
    assert alice.call("resumeProducer", id="mic") == {
        "paused": {"self": False, "moderator": False},
        "changed": True,
    }


def test_a_mute_of_all_holds_for_those_who_join_later(stage: Stage) -> None:
    alice, moderator = stage.enter("alice"), stage.enter("mo", role="moderator")
    publish(alice)
    publish(moderator, "mo-mic")
    target = {"allExcept": [], "source": "microphone"}
    assert moderator.call("mute", target=target) == {"affected": 1, "asked": 0}
    late = stage.enter("late")
    assert publish(late, "late-mic")["paused"] is True
    assert publish(late, "late-cam", "camera")["paused"] is False
    moderator.call("unmute", target=target)
    assert publish(stage.enter("later"), "later-mic")["paused"] is False


def test_others_are_muted_by_moderators_only(stage: Stage) -> None:
    alice, bob = stage.enter("alice"), stage.enter("bob")
    publish(alice)
    for target in ({"peer": alice.peer}, {"producer": "mic"}, {"allExcept": []}):
        with pytest.raises(Refusal, match="forbidden"):
            bob.call("mute", target=target)
    with pytest.raises(Refusal, match="invalid_params"):
        bob.call("mute", target={"peer": alice.peer, "producer": "mic"})


def test_without_a_media_node_an_offer_to_it_is_refused(stage: Stage) -> None:
    alice = stage.enter("alice")
    request = alice.request("sdpOffer", transport="t", direction="send", sdp="v=0\r\n", generation=1)
    _run(stage)
    with pytest.raises(Refusal, match="media_unavailable") as refused:
        alice.result(request)
    assert refused.value.data["retry"] == "elsewhere"


def test_debug_ping_shows_its_path_to_those_with_diag(stage: Stage) -> None:
    reply = stage.enter("alice").call("debugPing")
    assert reply["owner"] == "stage"
    assert reply["path"] == []
    assert reply["load"] == {"rooms": 1, "sessions": 1}
    doctor = stage.connect()
    doctor.join(token=stage.token("doctor", diag=True))
    assert [each["node"] for each in doctor.call("debugPing", target="node")["path"]] == ["stage"]
    doctor.call("debugPing")
    with pytest.raises(Refusal, match="rate_limited") as refused:
        doctor.call("debugPing")
    assert refused.value.data["afterMs"] == 500


def _run(stage: Stage) -> None:
    """Runs the waiting coroutines; without media none of them really waits."""
    for work in stage.spawned:
        with pytest.raises(StopIteration):
            work.send(None)
