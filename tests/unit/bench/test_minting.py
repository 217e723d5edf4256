"""Tokens of the load tool are those that `palaver token` makes."""

from __future__ import annotations

from typing import get_args

import jwt
import pytest

from palaver.bench.minting import Mint
from palaver.protocol.types import Role
from palaver.settings import AuthSettings
from palaver.signaling.tokens import TokenVerifier, mint

SECRET = "a secret of at least thirty-two bytes, ж"
NOW = 1_700_000_000.5


@pytest.mark.parametrize("role", get_args(Role))
@pytest.mark.parametrize("audience", [None, "us"])
def test_a_token_says_the_same_and_is_signed_as_well(role: Role, audience: str | None) -> None:
    ours = Mint("k", SECRET, now=NOW, ttl_seconds=60, audience=audience)("жil", "room", role)
    theirs = mint(
        "k", SECRET, identity="жil", room="room", role=role, now=NOW, ttl_seconds=60, audience=audience
    )
    said = [jwt.decode(token, options={"verify_signature": False}) for token in (ours, theirs)]
    assert said[0] == said[1]
    assert jwt.get_unverified_header(ours) == jwt.get_unverified_header(theirs)
    settings = AuthSettings(keys={"k": SECRET}, audience=audience or "")
    claims = TokenVerifier(settings, lambda: NOW).verify(ours)
    assert (claims.identity, claims.role) == ("жil", role)
