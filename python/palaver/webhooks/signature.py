"""How a webhook is signed: LiveKit's scheme, a JWT whose claim sha256 is that of the body."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

import jwt

LIFE_SECONDS: Final = 300
"""How long a signature is good: for one attempt, with clocks that differ by minutes."""


def sign(body: bytes, key_id: str, secret: str, now: float) -> str:
    """The value of the Authorization header (no scheme before it, as LiveKit has it)."""
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    payload = {
        "iss": key_id,
        "nbf": int(now) - LIFE_SECONDS,
        "exp": int(now) + LIFE_SECONDS,
        "sha256": digest,
    }
    return jwt.encode(payload, secret, algorithm="HS256")
