"""The signature is one that LiveKit's receivers verify: HS256, iss, and the body's sha256 in base64."""

from __future__ import annotations

import base64
import hashlib

import jwt

from palaver.webhooks.signature import LIFE_SECONDS, sign

SECRET = "a secret for tests, of more than 32 bytes"


def test_it_holds_the_hash_of_the_body() -> None:
    claims = jwt.decode(
        sign(b'{"a":1}', "key", SECRET, 1000.7), SECRET, algorithms=["HS256"], options={"verify_exp": False}
    )
    assert claims["iss"] == "key"
    assert base64.b64decode(claims["sha256"]) == hashlib.sha256(b'{"a":1}').digest()
    assert (claims["nbf"], claims["exp"]) == (1000 - LIFE_SECONDS, 1000 + LIFE_SECONDS)
