"""Keys that tokens are verified with: each is bound to one algorithm, so that no token can choose another (RFC 8725 § 3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from msgspec import Struct

from palaver.errors import SettingsError
from palaver.settings import AuthSettings

MIN_SECRET_BYTES: Final = 32
MAX_PUBLISHED: Final = 128
"""Keys of one set; an issuer that rotates weekly and keeps each key for a month publishes five."""

_READERS: Final = {"RSA": RSAAlgorithm.from_jwk, "EC": ECAlgorithm.from_jwk, "OKP": OKPAlgorithm.from_jwk}
"""By kty (RFC 7518 § 6, RFC 8037 § 2). `oct` is not here: a published secret is none."""


class Key(Struct, frozen=True):
    material: Any
    algorithm: str
    prepared: Any
    """The material as the algorithm takes it; made once, for it takes longer than to verify with it."""


Keys = Mapping[str, Key]
"""Key id → key."""


class Jwk(Struct):
    """What we look at before the key itself (RFC 7517 § 4)."""

    kty: str = ""
    kid: str = ""
    use: str = "sig"
    key_ops: list[str] = msgspec.field(default_factory=lambda: ["verify"])
    alg: str = ""
    d: object = None


class _KeySet(Struct):
    keys: list[dict[str, Any]]


def load_keys(settings: AuthSettings) -> Keys:
    """The keys of auth.keys. Raises SettingsError for one that is too weak or no key."""
    return {key_id: _load_key(key_id, text, settings.weak_secrets) for key_id, text in settings.keys.items()}


def _load_key(key_id: str, text: str, weak: bool) -> Key:
    if "-----BEGIN" not in text:
        if len(text.encode()) < (1 if weak else MIN_SECRET_BYTES):
            raise SettingsError(f"auth.keys.{key_id}: a secret needs at least {MIN_SECRET_BYTES} bytes")
        try:
            return Key(text, "HS256", jwt.get_algorithm_by_name("HS256").prepare_key(text))
        except jwt.InvalidKeyError as error:
            raise SettingsError(f"auth.keys.{key_id}: this is no secret: {error}") from None
    try:
        public = load_pem_public_key(text.encode())
    except ValueError as error:
        raise SettingsError(f"auth.keys.{key_id}: this PEM is not a public key: {error}") from None
    key = _bind(public)
    if key is None:
        raise SettingsError(f"auth.keys.{key_id}: use Ed25519, P-256, or RSA of at least 2048 bits")
    return key


def published_keys(document: bytes) -> Keys:
    """The keys of a JSON Web Key Set (RFC 7517 § 5) by their kid.

    Passed over, as the RFC wants it: keys of other kinds and uses, without a kid, or that we cannot read; and private
    keys, which whoever published them has lost. Raises ValueError, a phrase, for what is no key set.
    """
    try:
        found = msgspec.json.decode(document, type=_KeySet).keys
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ValueError("is not a JSON Web Key Set") from None
    if len(found) > MAX_PUBLISHED:
        raise ValueError(f"holds more than {MAX_PUBLISHED} keys")
    keys: dict[str, Key] = {}
    for each in found:
        key = _published_key(each)
        if key is not None:
            keys.setdefault(each["kid"], key)
    return keys


def _published_key(fields: dict[str, Any]) -> Key | None:
    try:
        head = msgspec.convert(fields, Jwk)
        usable = head.kid and head.use == "sig" and "verify" in head.key_ops and head.d is None
        if not usable or head.kty not in _READERS:
            return None
        key = _bind(_READERS[head.kty](fields))
    except (jwt.PyJWTError, msgspec.ValidationError, ValueError, TypeError, KeyError):
        return None
    return key if key is not None and head.alg in ("", key.algorithm) else None


def _bind(public: object) -> Key | None:
    """The key with the one algorithm that it is good for here; None for other curves and short RSA keys."""
    if isinstance(public, Ed25519PublicKey):
        return Key(public, "EdDSA", public)
    if isinstance(public, EllipticCurvePublicKey) and isinstance(public.curve, SECP256R1):
        return Key(public, "ES256", public)
    if isinstance(public, RSAPublicKey) and public.key_size >= 2048:
        return Key(public, "RS256", public)
    return None
