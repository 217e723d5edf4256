"""Tokens for thousands of clients: what `palaver token` makes, in a fifth of the time.

A token is HMAC over two JSON texts (RFC 7515 § 3.1), of which all but who and where is the same for a whole run.
"""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64encode
from typing import Any


class Mint:
    """Signs tokens with one secret (HS256) that are good from `now` for `ttl_seconds`. Call it with identity, room and role."""

    def __init__(
        self, key_id: str, secret: str, *, now: float, ttl_seconds: float, audience: str | None = None
    ) -> None:
        self._hmac = hmac.new(secret.encode(), digestmod="sha256")
        self._head = _part({"typ": "JWT", "alg": "HS256"}) + b"."
        self._common: dict[str, Any] = {
            "iss": key_id,
            "iat": int(now),
            "nbf": int(now),
            "exp": int(now + ttl_seconds),
            **({"aud": audience} if audience else {}),
        }

    def __call__(self, identity: str, room: str, role: str) -> str:
        video: dict[str, Any] = {"roomJoin": True, "room": room}
        if role in ("owner", "moderator"):
            video["roomAdmin"] = True
        signed = self._head + _part({**self._common, "sub": identity, "role": role, "video": video})
        mac = self._hmac.copy()
        mac.update(signed)
        return (signed + b"." + _base64(mac.digest())).decode()


def _part(value: dict[str, Any]) -> bytes:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")
