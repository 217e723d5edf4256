"""A join reply says what one sends oneself, too: after a join with producers, a join again, a resume (protocol § 5, join)."""

from __future__ import annotations

from typing import Any

import pytest

from harness.plane import Refusal, Stage

MICROPHONE = {"transport": "t", "kind": "audio", "source": "microphone"}
CAMERA = {"transport": "t", "kind": "video", "source": "camera"}


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_a_join_with_producers_is_told_what_was_made_of_them(stage: Stage) -> None:
    moderator = stage.enter("mo", role="moderator")
    moderator.call("mute", target={"allExcept": [], "source": "microphone"})
    bob = stage.connect(bearer=stage.token("bob"))
    producers: list[Any] = [MICROPHONE, CAMERA | {"id": "cam", "paused": True, "encodings": [{"rid": "h"}]}]
    reply = bob.join(producers=producers)
    microphone, camera = reply["you"]["producers"]
    assert bob.call("createProducer", **MICROPHONE, id=microphone["id"])["id"] == microphone["id"]
    assert microphone["paused"] is True
    assert microphone["pausedBy"] == {"self": False, "moderator": True}
    assert camera == {
        "id": "cam",
        "paused": True,
        "layers": [{"rid": "h"}],
        "limits": {"producers": 20},
        "transport": "t",
        "kind": "video",
        "source": "camera",
        "pausedBy": {"self": True, "moderator": False},
    }
    assert reply["room"]["version"] == bob.call("roomInfo")["version"]
    assert bob.take() == []
    assert [each["event"] for each in moderator.take()] == ["peerJoined", "producerAdded", "producerAdded"]


@pytest.mark.parametrize(
    "more", [{"producers": [MICROPHONE]}, {"offer": {"transport": "t", "sdp": "v=0\r\n"}}]
)
def test_a_resume_takes_neither_producers_nor_an_offer(stage: Stage, more: dict[str, Any]) -> None:
    bob = stage.enter("bob")
    bob.lose()
    again = stage.connect(bearer=stage.token("bob"))
    with pytest.raises(Refusal, match="invalid_params") as refused:
        again.call("join", room="room", resume={"ticket": bob.ticket, "lastSeq": bob.seq}, **more)
    assert refused.value.data["path"] == f"$.{next(iter(more))}"
    again.resume(bob)


def test_a_resume_and_a_join_again_tell_what_became_of_ones_own(stage: Stage) -> None:
    moderator, bob = stage.enter("mo", role="moderator"), stage.enter("bob")
    for id in ("a", "b"):
        bob.call("createProducer", id=id, **MICROPHONE)
    bob.lose()
    moderator.call("closeProducer", id="a")
    moderator.call("pauseProducer", id="b")
    again = stage.connect(bearer=stage.token("bob"))
    for reply in (again.resume(bob), again.join()):
        (left,) = reply["you"]["producers"]
        assert (left["id"], left["pausedBy"]) == ("b", {"self": False, "moderator": True})
