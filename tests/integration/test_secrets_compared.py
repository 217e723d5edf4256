"""Secrets are compared in constant time: by hmac.compare_digest, whole, wherever the first wrong byte is."""

from __future__ import annotations

import hmac
import time

import aiohttp
import pytest

from harness.node import running_node
from harness.settings import KEY_ID, SECRET
from palaver.protocol.errors import ProtocolError
from palaver.settings import AuthSettings
from palaver.signaling.tokens import TokenVerifier, mint

ADMIN_TOKEN = "an-admin-token-for-tests-of-more-than-32-bytes"


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The lengths of what was compared."""
    seen: list[tuple[int, int]] = []
    real = hmac.compare_digest

    def spy(one: bytes, other: bytes) -> bool:
        seen.append((len(one), len(other)))
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", spy)
    return seen


def with_byte(text: str, at: int) -> str:
    """The text with another letter at that place."""
    letters = list(text)
    letters[at] = "A" if letters[at] != "A" else "B"
    return "".join(letters)


@pytest.mark.parametrize("wrong", [0, 20, -2])
def test_the_signature_of_a_token(compared: list[tuple[int, int]], wrong: int) -> None:
    head, _, signature = mint(KEY_ID, SECRET, identity="alice", now=time.time()).rpartition(".")
    verifier = TokenVerifier(AuthSettings(keys={KEY_ID: SECRET}), time.time)
    compared.clear()
    with pytest.raises(ProtocolError, match="signature"):
        verifier.verify(f"{head}.{with_byte(signature, wrong)}")
    assert compared == [(32, 32)]


@pytest.mark.parametrize("wrong", [0, -1])
async def test_the_admin_token(compared: list[tuple[int, int]], wrong: int) -> None:
    http = {"admin_token": ADMIN_TOKEN}
    async with running_node(media={"embedded": False}, http=http) as node, aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bearer {with_byte(ADMIN_TOKEN, wrong)}"}
        async with session.get(f"{node.http}/v1/rooms", headers=headers) as answer:
            assert answer.status == 401
    assert compared == [(len(ADMIN_TOKEN), len(ADMIN_TOKEN))]
