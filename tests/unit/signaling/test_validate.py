"""validateToken says what the handlers would (protocol § 5): each answer is held to the request itself."""

from __future__ import annotations

from typing import Any

import pytest

from harness.plane import Client, Refusal, Stage
from harness.settings import node_settings

REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    "publish": ("createProducer", {"transport": "t", "kind": "video", "source": "camera"}),
    "publishData": ("createProducer", {"transport": "t", "kind": "data", "source": "data"}),
    "subscribe": ("createConsumer", {"producer": "of olivia", "transport": "r"}),
    "admin": ("unlockRoom", {}),
    "list": ("roomInfo", {"room": "another"}),
    "diag": ("traceEvent", {"subscribe": ["*"]}),
    "chaos": ("chaosInject", {"fault": "delay"}),
}


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def owner(stage: Stage) -> Client:
    client = stage.enter("olivia", role="owner")
    client.call("createProducer", id="of olivia", **REQUESTS["publish"][1])
    stage.enter("somebody", room="another")
    return client


@pytest.mark.parametrize("chaos", [False, True])
@pytest.mark.parametrize(
    "token",
    [
        {},
        {"role": "observer"},
        {"hidden": True},
        {"role": "owner", "roomAdmin": False},
        {"roomAdmin": True},
        {"canPublish": False},
        {"canPublishSources": ["camera"]},
        {"canPublishSources": ["data"]},
        {"canPublishData": False, "canSubscribe": False},
        {"roomList": True, "diag": True, "chaos": True},
    ],
)
def test_it_allows_what_is_allowed(token: dict[str, Any], chaos: bool) -> None:
    stage = Stage(node_settings(chaos=chaos))
    owner = stage.enter("olivia", role="owner")
    owner.call("createProducer", id="of olivia", **REQUESTS["publish"][1])
    stage.enter("somebody", room="another")
    shown = stage.token("bob", **token)
    bob = stage.connect()
    bob.join(token=shown)
    for action, (method, params) in REQUESTS.items():
        own = bob.call("validateToken", action=action)
        others = owner.call("validateToken", action=action, token=shown)
        assert own == others
        try:
            bob.call(method, **params)
        except Refusal as refused:
            assert (own["wouldAllow"], own["why"]) == (False, refused.data["need"]), action
        else:
            assert (own["wouldAllow"], own["why"]) == (True, None), action
        stage.advance(2)


def test_who_may_look_at_others_tokens_goes_by_the_role_in_the_room(stage: Stage, owner: Client) -> None:
    bob, moderator = stage.enter("bob"), stage.enter("mo", role="moderator")
    owner.call("setRole", peer=bob.peer, role="moderator")
    owner.call("setRole", peer=moderator.peer, role="participant")
    other = stage.token("carol")
    assert bob.call("validateToken", token=other)["valid"] is True
    assert bob.call("validateToken", action="admin")["wouldAllow"] is True
    assert bob.call("validateToken", action="admin", room="another")["wouldAllow"] is False
    with pytest.raises(Refusal, match="forbidden"):
        moderator.call("validateToken", token=other)
    assert moderator.call("validateToken", action="admin")["wouldAllow"] is False
    with pytest.raises(Refusal, match="forbidden"):
        moderator.call("unlockRoom")


def test_a_revocation_for_a_room_holds_there(stage: Stage) -> None:
    owner = stage.connect()
    owner.join(token=stage.token("olivia", role="owner", room="room"))
    bob = stage.connect(bearer=stage.token("bob"))
    stage.advance(10)
    owner.call("kickUser", identity="bob", revokeBefore=stage.now + 1_700_000_000)
    assert bob.call("validateToken", room="room")["why"] == "token_revoked"
    assert bob.call("validateToken", room="another")["wouldAllow"] is True
