"""Tokens in mid-call: validate, refresh, half life, end; TURN credentials (protocol § 5, AuthHandler)."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from harness.plane import Refusal, Stage
from harness.settings import node_settings
from palaver.signaling.rulings import Ruling

EPOCH = 1_700_000_000


@pytest.fixture
def stage() -> Stage:
    return Stage(node_settings(auth={"leeway_seconds": 0.0}))


def test_validate_looks_at_ones_own_token(stage: Stage) -> None:
    alice = stage.enter("alice")
    assert alice.call("validateToken", action="publish")["wouldAllow"] is True
    reply = alice.call("validateToken", room="room", action="admin")
    assert (reply["valid"], reply["wouldAllow"], reply["why"]) == (True, False, "roomAdmin")
    assert reply["claims"]["identity"] == "alice"


def test_validate_of_anothers_token_needs_room_admin(stage: Stage) -> None:
    alice, owner = stage.enter("alice"), stage.enter("olivia", role="owner")
    other = stage.token("bob", room="room", canPublish=False)
    with pytest.raises(Refusal, match="forbidden"):
        alice.call("validateToken", token=other)
    assert owner.call("validateToken", token=other, action="publish")["why"] == "canPublish"
    assert owner.call("validateToken", token=other, room="elsewhere")["why"] == "room"
    rubbish = owner.call("validateToken", token="rubbish")
    assert (rubbish["valid"], rubbish["claims"], rubbish["why"]) == (False, None, "token_invalid")
    assert stage.plane.sessions.rooms["room"].peer_of.keys() == {"alice", "olivia"}


def test_refresh_with_ones_own_newer_token(stage: Stage) -> None:
    alice = stage.enter("alice")
    newer = stage.token("alice", ttl_seconds=7200)
    assert alice.call("refreshToken", token=newer)["expiresAt"] == int(stage.now + EPOCH + 7200)
    with pytest.raises(Refusal, match="forbidden"):
        alice.call("refreshToken", token=stage.token("mallory"))


def test_refresh_without_a_token_makes_one(stage: Stage) -> None:
    alice = stage.enter("alice")
    stage.advance(600)
    reply = alice.call("refreshToken")
    assert reply["expiresAt"] == int(stage.now + EPOCH + 3600)
    again = stage.connect(bearer=reply["token"])
    assert again.join("other")["you"]["identity"] == "alice"


def test_at_half_life_a_new_token_is_pushed_and_the_session_lives_on(stage: Stage) -> None:
    alice = stage.enter("alice")
    stage.advance(1799)
    assert alice.take() == []
    stage.advance(2)
    (pushed,) = alice.take()
    assert pushed["event"] == "youToken"
    assert pushed["expiresAt"] == int(1000.0 + 1800 + EPOCH + 3600)
    stage.advance(3 * 3600)
    assert alice.closed is None


def test_a_banned_session_gets_no_new_token_but_the_door(stage: Stage) -> None:
    alice = stage.enter("alice")
    stage.plane.rulings.add([Ruling("b", "ban", "alice", 0.0, "operator")])
    stage.advance(1801)
    assert alice.closed is not None
    assert alice.closed[0] == 4503
    assert stage.plane.sessions.sessions == {}


def test_a_token_that_cannot_be_renewed_ends_with_4005_and_the_seat_waits(stage: Stage) -> None:
    alice = stage.enter("alice")
    stage.plane.verifier.reissue = lambda claims: None  # type: ignore[method-assign]  # as for a public key
    stage.advance(1801)
    assert alice.take() == [{"event": "youToken", "expiresAt": int(1000.0 + 3600 + EPOCH)}]
    stage.advance(1800)
    assert alice.closed is not None
    assert alice.closed[0] == 4005
    alice.lose()
    again = stage.connect(bearer=stage.token("alice"))
    assert again.resume(alice)["resumed"] is True


def test_turn_credentials_are_those_that_coturn_expects() -> None:
    media = {
        "turn_servers": ("turn:turn.test:3478",),
        "turn_secret": "s3cret",
        "ice_servers": ("stun:stun.test",),
    }
    stage = Stage(node_settings(media=media))
    stun, turn = stage.connect(bearer=stage.token("alice")).join()["iceServers"]
    assert stun == {"urls": ["stun:stun.test"]}
    assert turn["urls"] == ["turn:turn.test:3478"]
    assert turn["username"] == f"{int(stage.now + EPOCH + 43_200)}:alice"
    digest = hmac.new(b"s3cret", turn["username"].encode(), hashlib.sha1).digest()
    assert base64.b64decode(turn["credential"]) == digest


def test_ice_restarts_are_paced_and_told_to_the_peer(stage: Stage) -> None:
    alice, bob = stage.enter("alice"), stage.enter("bob")
    with pytest.raises(Refusal, match="not_found"):
        alice.call("iceRestart", transport="t")
    sdp = "v=0\r\n"
    alice.call("sdpOffer", transport="t", direction="p2p", to=bob.peer, sdp=sdp, generation=4)
    bob.take()
    assert alice.call("iceRestart", transport="t", to=bob.peer, reason="moved")["generation"] == 5
    assert bob.take() == [
        {
            "event": "transportRestart",
            "from": alice.peer,
            "transport": "t",
            "generation": 5,
            "reason": "moved",
        }
    ]
    for _ in range(4):
        with pytest.raises(Refusal, match="rate_limited") as refused:
            alice.call("iceRestart", transport="t", to=bob.peer)
        assert refused.value.data["afterMs"] == 5000
        stage.advance(5)
        alice.call("iceRestart", transport="t", to=bob.peer)
    stage.advance(5)
    with pytest.raises(Refusal, match="rate_limited") as refused:
        alice.call("iceRestart", transport="t", to=bob.peer)
    assert refused.value.data["afterMs"] == 35_000
