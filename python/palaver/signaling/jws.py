"""The parts of a signed token in its compact form (JWS, RFC 7515 § 7.1)."""

from __future__ import annotations

import json
import re
from binascii import a2b_base64, b2a_base64
from functools import lru_cache
from typing import Any, Final, NamedTuple

import jwt

_JWS: Final = jwt.PyJWS()
_PLAIN: Final = re.compile(rb"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_TO_BASE64: Final = bytes.maketrans(b"-_", b"+/")
_FROM_BASE64: Final = bytes.maketrans(b"+/", b"-_")
_CLOSER_LOOK: Final = ("kid", "crit", "b64")
"""Header parameters that the library has rules for."""


class Parts(NamedTuple):
    """Nothing of it is verified yet."""

    header: dict[str, Any]
    """Shared with other tokens: not to be changed."""
    payload: bytes
    signature: bytes


def parts_of(token: bytes) -> Parts:
    """Takes a token apart. Raises jwt.InvalidTokenError.

    PyJWT looks at each character in Python, which takes 17 µs, a twentieth of what a client's join costs a node. So tokens
    that are plain, as nearly all are, are read here, and all else by the library; a test holds both to the same.
    """
    plain = _plain_parts(token)
    if plain is not None:
        return plain
    parts = _JWS.decode_complete(token, options={"verify_signature": False})
    return Parts(parts["header"], parts["payload"], parts["signature"])


def _plain_parts(token: bytes) -> Parts | None:
    segments = _PLAIN.fullmatch(token)
    if segments is None:
        return None
    header, payload, signature = _header(segments[1]), _decoded(segments[2]), _decoded(segments[3])
    if header is None or payload is None or signature is None:
        return None
    return Parts(header, payload, signature)


@lru_cache(maxsize=64)
def _header(segment: bytes) -> dict[str, Any] | None:
    """Issuers use one header for all of their tokens."""
    text = _decoded(segment)
    try:
        header = None if text is None else json.loads(text)
    except (ValueError, RecursionError):
        return None
    return header if isinstance(header, dict) and not any(name in header for name in _CLOSER_LOOK) else None


def _decoded(segment: bytes) -> bytes | None:
    """The bytes that a segment stands for (base64url, § 2); None where another text is theirs."""
    if len(segment) % 4 == 1:
        return None
    found = a2b_base64(segment.translate(_TO_BASE64) + b"==")
    again = b2a_base64(found, newline=False).rstrip(b"=").translate(_FROM_BASE64)
    return found if again == segment else None
