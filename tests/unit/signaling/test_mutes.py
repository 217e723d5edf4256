"""A moderator's mute is of a person and a source, whatever they send at that moment (protocol § 5, mute)."""

from __future__ import annotations

from typing import Any

import pytest

from harness.plane import Client, Stage


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def moderator(stage: Stage) -> Client:
    return stage.enter("mo", role="moderator")


def microphone(client: Client, id: str = "mic", **more: Any) -> Any:
    return client.call("createProducer", id=id, transport="t", kind="audio", source="microphone", **more)


def test_an_unmute_of_all_opens_no_microphone_of_the_moderator(stage: Stage, moderator: Client) -> None:
    microphone(moderator, paused=True)
    assert moderator.call("unmute", target={"allExcept": []})["affected"] == 0
    assert moderator.call("roomInfo")["producers"][0]["paused"] is True


def test_who_is_excepted_from_an_unmute_of_all_stays_muted(stage: Stage, moderator: Client) -> None:
    bob = stage.enter("bob")
    moderator.call("mute", target={"allExcept": []})
    moderator.call("unmute", target={"allExcept": [bob.peer]})
    assert microphone(bob)["paused"] is True
    assert microphone(stage.enter("carol"), "c")["paused"] is False


def test_nobody_hears_of_an_unmute_that_opens_nothing(stage: Stage, moderator: Client) -> None:
    alice, bob = stage.enter("alice"), stage.enter("bob")
    microphone(alice)
    alice.call("mute", target="self")
    moderator.call("mute", target={"peer": alice.peer})
    bob.take()
    assert alice.call("unmute", target="self")["affected"] == 0
    assert bob.take() == []
    alice.call("mute", target="self")
    assert bob.take() == []
    assert moderator.call("unmute", target={"peer": alice.peer}) == {"affected": 0, "asked": 1}
    assert bob.take() == []
    assert alice.call("unmute", target="self")["affected"] == 1
    assert [each["event"] for each in bob.take()] == ["producerResumed", "mediaUnmuted"]


def test_a_mute_before_the_microphone_holds_for_it(stage: Stage, moderator: Client) -> None:
    bob = stage.enter("bob")
    bob.take()
    target = {"peer": bob.peer, "source": "microphone"}
    for _ in range(2):
        assert moderator.call("mute", target=target) == {"affected": 0, "asked": 0}
    assert bob.take() == [{"event": "youMuted", "by": moderator.peer, "producers": []}]
    assert microphone(bob)["paused"] is True
    assert bob.call("resumeProducer", id="mic")["paused"] == {"self": False, "moderator": True}
    camera = bob.call("createProducer", transport="t", kind="video", source="camera")
    assert camera["paused"] is False


def test_an_unmute_before_the_microphone_frees_from_a_mute_of_all(stage: Stage, moderator: Client) -> None:
    bob, carol = stage.enter("bob"), stage.enter("carol")
    moderator.call("mute", target={"allExcept": [], "source": "microphone"})
    moderator.call("unmute", target={"peer": bob.peer})
    assert microphone(bob, "b")["paused"] is False
    assert microphone(carol, "c")["paused"] is True
