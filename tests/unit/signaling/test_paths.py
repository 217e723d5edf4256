"""An error's `path` is where the bad field stands in the params that were sent (protocol § 3)."""

from __future__ import annotations

from typing import Any

import pytest

from harness.plane import SDP, Refusal, Stage
from harness.settings import node_settings
from harness.slow_media import SlowMedia

MICROPHONE = {"transport": "t", "kind": "audio", "source": "microphone"}


@pytest.mark.parametrize(
    ("params", "path"),
    [
        ({"offer": {"transport": "t", "sdp": SDP + "broken\r\n"}}, "$.offer.sdp"),
        ({"producers": [MICROPHONE, {**MICROPHONE, "source": "camera"}]}, "$.producers[1].source"),
        ({"producers": [{**MICROPHONE, "id": "taken"}]}, "$.producers[0].id"),
        ({"producers": [{**MICROPHONE, "source": "nose"}]}, "$.producers[0].source"),
    ],
)
def test_of_a_join(params: dict[str, Any], path: str) -> None:
    stage = Stage(node_settings(), media={"slow": SlowMedia()})
    stage.enter("alice").call("createProducer", id="taken", **MICROPHONE)
    bob = stage.connect(bearer=stage.token("bob"))
    request = bob.request("join", room="room", **params)
    for work in stage.spawned:
        with pytest.raises(StopIteration):
            work.send(None)
    with pytest.raises(Refusal) as refused:
        bob.result(request)
    assert refused.value.data["path"] == path


def test_of_one_among_many() -> None:
    stage = Stage()
    alice, bob = stage.enter("alice"), stage.enter("bob", role="moderator")
    alice.call("createProducer", id="mic", **MICROPHONE)
    items: list[Any] = [
        {"producer": "mic", "id": "c"},
        {"producer": "no"},
        {"producer": "mic", "transport": "r"},
    ]
    first, second, third = bob.call("createConsumer", items=items)["items"]
    assert first["error"]["data"]["path"] == "$.items[0].transport"
    assert second["error"]["data"]["path"] == "$.items[1].transport"
    requests: list[Any] = [
        ("closeConsumer", {"ids": [third["id"], "no"]}, "$.ids[1]"),
        ("pauseConsumer", {"id": "no"}, "$.id"),
        ("kickUser", {"identity": "nobody"}, "$.identity"),
    ]
    for method, params, path in requests:
        with pytest.raises(Refusal) as refused:
            bob.call(method, **params)
        assert refused.value.data["path"] == path
    assert bob.call("closeConsumer", ids=[third["id"]])["changed"] is True
