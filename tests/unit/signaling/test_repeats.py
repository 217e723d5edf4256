"""Setters and closers are idempotent, creators answer a repeat with their first result (protocol § 5)."""

from __future__ import annotations

from typing import Any

import pytest

from harness.plane import Client, Refusal, Stage

CAMERA = {"transport": "t", "kind": "video", "source": "camera"}


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_a_repeated_create_producer_is_answered_as_at_first(stage: Stage) -> None:
    alice, bob = stage.enter("alice"), stage.enter("bob")
    create: dict[str, Any] = {"id": "cam", **CAMERA, "encodings": [{"rid": "l"}]}
    first = alice.call("createProducer", **create)
    alice.call("pauseProducer", id="cam")
    alice.call("changeEncoding", id="cam", encodings=[{"rid": "h"}])
    bob.take()
    assert alice.call("createProducer", **create) == first
    assert bob.take() == []
    alice.call("closeProducer", id="cam")
    assert alice.call("createProducer", **{**create, "paused": True})["paused"] is True


@pytest.mark.parametrize("many", [False, True])
def test_a_repeated_create_consumer_is_answered_as_at_first(stage: Stage, many: bool) -> None:
    alice, bob = stage.enter("alice"), stage.enter("bob")
    for id in ("one", "two"):
        alice.call("createProducer", id=id, **CAMERA)
    create: dict[str, Any] = {"id": "c", "producer": "one", "transport": "r"}
    if many:
        items = [{"id": "c", "producer": "one"}, {"id": "d", "producer": "two"}, {"producer": "absent"}]
        create = {"items": items, "transport": "r"}
    first = bob.call("createConsumer", **create)
    bob.call("resumeConsumer", id="c")
    alice.call("pauseProducer", id="one")
    assert bob.call("createConsumer", **create) == first
    assert bob.call("resumeConsumer", id="c")["changed"] is False, "the repeat has not paused it again"


def closed_by(stage: Stage, closer: str) -> tuple[Client, Client, Client]:
    owner, moderator = stage.enter("alice"), stage.enter("mo", role="moderator")
    guest = stage.enter("guest")
    owner.call("createProducer", id="cam", **CAMERA)
    who = {"owner": owner, "moderator": moderator}[closer]
    assert who.call("closeProducer", id="cam")["changed"] is True
    for client in (owner, moderator, guest):
        client.take()
    return owner, moderator, guest


@pytest.mark.parametrize("closer", ["owner", "moderator"])
def test_closing_again_changes_nothing_for_owner_and_moderator(stage: Stage, closer: str) -> None:
    owner, moderator, guest = closed_by(stage, closer)
    for client in (owner, moderator, owner):
        assert client.call("closeProducer", id="cam") == {"changed": False}
    assert guest.take() == []
    with pytest.raises(Refusal, match="not_found"):
        guest.call("closeProducer", id="cam")
    with pytest.raises(Refusal, match="not_found"):
        moderator.call("closeProducer", id="never")


def test_a_moderator_moderates_by_id_what_it_is_not_shown(stage: Stage) -> None:
    owner, moderator = stage.enter("alice"), stage.enter("mo", role="moderator")
    bob, eve = stage.enter("bob"), stage.enter("eve")
    owner.call("createProducer", id="cam", allow=["bob"], **CAMERA)
    assert moderator.call("roomInfo")["producers"] == []
    with pytest.raises(Refusal, match="not_found"):
        moderator.call("createConsumer", producer="cam", transport="r")
    assert moderator.call("pauseProducer", id="cam")["paused"] == {"self": False, "moderator": True}
    assert moderator.call("resumeProducer", id="cam")["changed"] is True
    assert moderator.call("mute", target={"producer": "cam"})["affected"] == 1
    for changed in (True, False):
        assert moderator.call("closeProducer", id="cam") == {"changed": changed}
    told = [each["event"] for each in bob.take()]
    assert told[-1] == "producerClosed"
    assert eve.take() == moderator.take("producerPaused", "producerClosed") == []
    with pytest.raises(Refusal, match="not_found"):
        eve.call("closeProducer", id="cam")


def test_every_setter_and_closer_says_that_a_repeat_changed_nothing(stage: Stage) -> None:
    owner, bob = stage.enter("olivia", role="owner"), stage.enter("bob")
    bob.call("createProducer", id="cam", **CAMERA)
    owner.call("createConsumer", id="c", producer="cam", transport="r")
    calls: list[tuple[Client, str, dict[str, Any]]] = [
        (bob, "pauseProducer", {"id": "cam"}),
        (bob, "resumeProducer", {"id": "cam"}),
        (bob, "replaceTrack", {"id": "cam", "generation": 1}),
        (owner, "resumeConsumer", {"id": "c"}),
        (owner, "pauseConsumer", {"id": "c"}),
        (owner, "lockRoom", {"mode": "knock"}),
        (owner, "unlockRoom", {}),
        (owner, "closeConsumer", {"id": "c"}),
        (owner, "closeProducer", {"id": "cam"}),
    ]
    for client, method, params in calls:
        assert client.call(method, **params)["changed"] is True, method
        stage.plane.sessions.deliver_all()
        owner.take()
        bob.take()
        assert client.call(method, **params)["changed"] is False, method
        assert owner.take() == bob.take() == []
