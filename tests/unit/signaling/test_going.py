"""Who goes has all of its requests answered, those too that the media node works on (protocol § 1)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.plane import SDP, Client, Refusal, Stage
from harness.settings import node_settings
from harness.slow_media import SlowMedia

OFFER: dict[str, Any] = {"transport": "t", "direction": "send", "sdp": SDP, "generation": 1}


@pytest.fixture
def stage() -> Stage:
    return Stage(node_settings(), media={"slow": SlowMedia()})


def finish(stage: Stage) -> None:
    """The media node answers."""
    for work in stage.spawned:
        work.send(None)
        with pytest.raises(StopIteration):
            work.send(None)
    stage.spawned.clear()


@pytest.mark.parametrize(
    ("method", "params", "reason"),
    [
        ("leave", {}, "wrong_state"),
        ("disconnect", {"keep": False}, "wrong_state"),
        ("disconnect", {}, "unavailable"),
    ],
)
def test_an_offer_under_way_is_answered_before_the_close(
    stage: Stage, method: str, params: dict[str, Any], reason: str
) -> None:
    bob = stage.enter("bob")
    request = bob.request("sdpOffer", **OFFER)
    bob.call(method, **params)
    with pytest.raises(Refusal, match=reason):
        bob.result(request)
    sent = len(bob.raw)
    bob.lose()
    finish(stage)
    assert len(bob.raw) == sent


def test_after_a_resume_the_same_offer_has_its_answer(stage: Stage) -> None:
    bob = stage.enter("bob")
    bob.request("sdpOffer", **OFFER)
    bob.call("disconnect")
    bob.lose()
    finish(stage)
    again = stage.connect(bearer=stage.token("bob"))
    again.resume(bob)
    assert again.call("sdpOffer", **OFFER)["generation"] == 1


def test_a_batch_under_way_is_answered_as_a_whole(stage: Stage) -> None:
    bob: Client = stage.enter("bob")
    beat = {"jsonrpc": "2.0", "id": "beat", "method": "heartbeat", "params": {"t": 1}}
    offer = {"jsonrpc": "2.0", "id": "offer", "method": "sdpOffer", "params": OFFER}
    bob.receive(json.dumps([beat, offer]).encode())
    bob.call("leave")
    replies = json.loads(bob.raw[-1])
    assert [each["id"] for each in replies] == ["beat", "offer"]
    finish(stage)
    assert json.loads(bob.raw[-1]) == replies
