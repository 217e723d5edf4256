"""A producer with an allow-list is absent for everybody else; even its id is free for them."""

from __future__ import annotations

from typing import Any

import pytest

from harness.plane import Client, Refusal, Stage
from harness.settings import node_settings
from palaver.signaling.ports import Answer

CAMERA = {"transport": "t", "kind": "video", "source": "camera"}


class NotingMedia:
    """A media node that notes the names of what it is told of."""

    node = "media"

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []

    async def accept_offer(self, *_: Any) -> Answer:
        return Answer("", {})

    def produce(self, handle: Any, producer: str, *_: Any) -> None:
        self.calls.append(("produce", producer))

    def consume(self, handle: Any, consumer: str, producer: str, *_: Any) -> None:
        self.calls.append(("consume", producer))

    def close_producer(self, room: str, producer: str) -> None:
        self.calls.append(("close", producer))

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


@pytest.fixture
def stage() -> Stage:
    return Stage()


def publish(client: Client, id: str, **more: Any) -> Any:
    return client.call("createProducer", id=id, **CAMERA, **more)


def test_the_id_of_a_hidden_producer_is_free_for_who_may_not_see_it(stage: Stage) -> None:
    alice, carol = stage.enter("alice"), stage.enter("carol")
    eve, dave = stage.enter("eve"), stage.enter("dave")
    publish(alice, "x", allow=["carol"])
    for client in (alice, carol, dave):
        client.take()
    assert publish(eve, "x") == publish(eve, "y") | {"id": "x"}
    assert [each["id"] for each in dave.take("producerAdded")] == ["x", "y"]
    assert [each["id"] for each in carol.take("producerAdded")] == ["y"]
    assert [each["id"] for each in alice.take("producerAdded")] == ["y"]
    for client, owner in ((carol, alice), (alice, alice), (dave, eve), (eve, eve)):
        shown = {each["id"]: each["peer"] for each in client.call("roomInfo")["producers"]}
        assert shown["x"] == owner.peer
    with pytest.raises(Refusal, match="conflict"):
        publish(dave, "x")
    with pytest.raises(Refusal, match="conflict"):
        publish(carol, "x")


def test_each_hears_only_of_the_producer_that_it_knows(stage: Stage) -> None:
    alice, carol = stage.enter("alice"), stage.enter("carol")
    eve, dave = stage.enter("eve"), stage.enter("dave")
    publish(alice, "x", allow=["carol"])
    publish(eve, "x")
    carol.call("createConsumer", id="c", producer="x", transport="r")
    dave.call("createConsumer", id="c", producer="x", transport="r")
    for client in (alice, carol, dave, eve):
        client.take()
    eve.call("pauseProducer", id="x")
    eve.call("closeProducer", id="x")
    assert [each["event"] for each in dave.take()] == ["producerPaused", "producerClosed", "consumerClosed"]
    assert carol.take() == alice.take() == []
    alice.call("closeProducer", id="x")
    assert [each["event"] for each in carol.take()] == ["producerClosed", "consumerClosed"]
    assert dave.take() == eve.take() == []


def test_a_namesake_shows_itself_once_the_older_one_is_closed(stage: Stage) -> None:
    alice, carol = stage.enter("alice"), stage.enter("carol")
    eve, dave = stage.enter("eve"), stage.enter("dave")
    publish(alice, "x", allow=["carol"])
    publish(eve, "x")
    for client in (alice, carol, dave, eve):
        client.take()
    alice.call("closeProducer", id="x")
    assert [each["event"] for each in carol.take()] == ["producerClosed", "producerAdded"]
    assert [each["peer"] for each in alice.take()] == [eve.peer]
    assert dave.take() == eve.take() == []
    assert carol.call("createConsumer", producer="x", transport="r")["producer"] == "x"
    eve.call("pauseProducer", id="x")
    assert carol.take() == dave.take()
    assert stage.enter("alice").call("roomInfo")["producers"][0]["peer"] == eve.peer


def test_namesakes_are_two_at_the_media_node() -> None:
    media = NotingMedia()
    stage = Stage(node_settings(), media={"media": media})
    alice, carol, eve = stage.enter("alice"), stage.enter("carol"), stage.enter("eve")
    publish(alice, "x", allow=["carol"])
    publish(eve, "x", allow=[])
    carol.call("createConsumer", producer="x", transport="r")
    eve.call("createConsumer", producer="x", transport="r")
    alice.call("closeProducer", id="x")
    publish(alice, "x", allow=["carol"])
    (_, first), (_, second), (_, seen_by_carol), (_, seen_by_eve), (_, closed), (_, third) = media.calls
    assert len({first, second, third}) == 3
    assert (seen_by_carol, seen_by_eve, closed) == (first, second, first)


def test_an_older_public_producer_keeps_its_name(stage: Stage) -> None:
    alice, bob = stage.enter("alice"), stage.enter("bob")
    publish(alice, "x")
    with pytest.raises(Refusal, match="conflict"):
        publish(bob, "x", allow=[])


def test_a_join_with_producers_learns_as_little(stage: Stage) -> None:
    alice = stage.enter("alice")
    publish(alice, "x", allow=[])
    stage.enter("eve", producers=[{"id": "x", **CAMERA}])
    with pytest.raises(Refusal, match="conflict"):
        stage.enter("dave", producers=[{"id": "x", **CAMERA}])


def test_the_names_in_the_allow_lists_of_a_participant_are_bounded(stage: Stage) -> None:
    alice = stage.enter("alice")
    for id in "ab":
        publish(alice, id, allow=[f"{id}{n}" for n in range(1000)])
    with pytest.raises(Refusal, match="limit"):
        publish(alice, "c", allow=["one more"])
    publish(alice, "c")
    alice.call("closeProducer", id="a")
    publish(alice, "d", allow=["one more"])
    many = [{"id": f"p{k}", **CAMERA, "allow": [f"{k}.{n}" for n in range(700)]} for k in range(3)]
    with pytest.raises(Refusal, match="limit"):
        stage.enter("bob", producers=many)


def test_namesakes_are_bounded(stage: Stage) -> None:
    for n in range(9):
        publish(stage.enter(f"alice{n}"), "x", allow=[])
    with pytest.raises(Refusal, match="conflict"):
        publish(stage.enter("one more"), "x", allow=[])
