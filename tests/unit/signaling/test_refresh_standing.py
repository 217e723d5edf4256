"""A ban and a revocation stop refresh, and what was made by it (protocol § 5, kickUser)."""

from __future__ import annotations

import pytest

from harness.plane import Client, Refusal, Stage

EPOCH = 1_700_000_000


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def owner(stage: Stage) -> Client:
    client = stage.connect()
    client.join(token=stage.token("olivia", role="owner", room="room"))
    return client


def test_who_is_banned_from_the_tokens_room_gets_no_new_one(stage: Stage, owner: Client) -> None:
    bound = stage.token("bob", room="room")
    bob = stage.connect()
    bob.join(token=bound)
    owner.call("kickUser", peer=bob.peer, ban={"scope": "room"})
    again = stage.connect(bearer=bound)
    with pytest.raises(Refusal, match="banned"):
        again.call("refreshToken")
    with pytest.raises(Refusal, match="banned"):
        again.call("refreshToken", token=stage.token("bob", room="room"))
    stage.connect(bearer=stage.token("bob", room="elsewhere")).call("refreshToken")


def test_who_is_banned_from_everywhere_gets_no_new_token_before_a_join(stage: Stage) -> None:
    owner = stage.enter("olivia", role="owner")
    bob = stage.connect(bearer=stage.token("bob"))
    owner.call("kickUser", identity="bob", ban={"scope": "all"})
    with pytest.raises(Refusal, match="banned"):
        bob.call("refreshToken")


def test_a_revoked_token_refreshes_nobody(stage: Stage, owner: Client) -> None:
    old = stage.token("bob")
    stage.advance(10)
    bob = stage.enter("bob")
    owner.call("kickUser", identity="bob", revokeBefore=stage.now + EPOCH - 5)
    bob = stage.enter("bob") if bob.closed else bob
    for method, more in (("refreshToken", {}), ("join", {"room": "room"})):
        with pytest.raises(Refusal, match="token_revoked"):
            bob.call(method, token=old, **more)
    bob.call("createProducer", transport="t", kind="audio", source="microphone")


def test_a_token_made_of_a_revoked_one_is_revoked(stage: Stage, owner: Client) -> None:
    old = stage.connect(bearer=stage.token("bob"))
    stage.advance(100)
    fresh = old.call("refreshToken")["token"]
    stage.advance(100)
    last = stage.connect(bearer=fresh).call("refreshToken")["token"]
    owner.call("kickUser", identity="bob", revokeBefore=stage.now + EPOCH - 150)
    for token in (fresh, last):
        with pytest.raises(Refusal, match="token_revoked"):
            stage.connect().call("join", room="room", token=token)
    stage.enter("bob")
