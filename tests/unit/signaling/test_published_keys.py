"""JSON Web Key Sets: which keys are taken (RFC 7517), and what a token signed with one may do."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from palaver.protocol.errors import ProtocolError
from palaver.settings import AuthSettings
from palaver.signaling.keys import MAX_PUBLISHED, published_keys
from palaver.signaling.tokens import TokenVerifier

SECRET = "a secret for tests, of more than 32 bytes"
NOW = 1_700_000_000.0
RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
KINDS: list[tuple[str, Any, Any]] = [
    ("RS256", RSA, RSAAlgorithm),
    ("ES256", EC, ECAlgorithm),
    ("EdDSA", ED, OKPAlgorithm),
]


def jwk(private: Any, reader: Any, kid: str = "k1", **more: Any) -> dict[str, Any]:
    fields: dict[str, Any] = reader.to_jwk(private.public_key(), as_dict=True)
    return {**fields, "kid": kid, "use": "sig", **more}


def document(*keys: dict[str, Any]) -> bytes:
    return json.dumps({"keys": keys}).encode()


def verifier(*keys: dict[str, Any], own: dict[str, str] | None = None) -> TokenVerifier:
    one = TokenVerifier(AuthSettings(keys=own or {}), lambda: NOW)
    one.trust(published_keys(document(*keys)))
    return one


def token(private: Any, algorithm: str, kid: str | None = "k1", iss: str = "https://issuer.example") -> str:
    claims = {"iss": iss, "sub": "alice", "iat": NOW, "exp": NOW + 60, "video": {"roomJoin": True}}
    return jwt.encode(claims, private, algorithm, headers={} if kid is None else {"kid": kid})


@pytest.mark.parametrize(("algorithm", "private", "reader"), KINDS, ids=[kind[0] for kind in KINDS])
def test_the_kid_of_the_header_names_a_published_key(algorithm: str, private: Any, reader: Any) -> None:
    assert verifier(jwk(private, reader)).verify(token(private, algorithm)).identity == "alice"


@pytest.mark.parametrize("kid", ["other", None, "", "../k1"])
def test_another_kid_names_none(kid: str | None) -> None:
    with pytest.raises(ProtocolError, match="neither the token's iss nor its kid"):
        verifier(jwk(ED, OKPAlgorithm)).verify(token(ED, "EdDSA", kid))


def test_an_unknown_kid_leaves_the_word_to_the_iss() -> None:
    both = verifier(jwk(ED, OKPAlgorithm), own={"own": SECRET})
    assert both.verify(token(SECRET, "HS256", "other", iss="own")).key_id == "own"


def test_a_published_key_verifies_with_its_own_algorithm_only() -> None:
    one = verifier(jwk(RSA, RSAAlgorithm))
    forged = jwt.encode({"iss": "x", "sub": "a", "exp": NOW + 60}, SECRET, "HS256", headers={"kid": "k1"})
    with pytest.raises(ProtocolError, match="signs with RS256 only"):
        one.verify(forged)
    with pytest.raises(ProtocolError, match="signs with RS256 only"):
        one.verify(jwt.encode({"iss": "x"}, RSA, "RS512", headers={"kid": "k1"}))


@pytest.mark.parametrize(
    "key",
    [
        jwk(ED, OKPAlgorithm, kid=""),
        jwk(ED, OKPAlgorithm, use="enc"),
        jwk(ED, OKPAlgorithm, key_ops=["sign"]),
        jwk(ED, OKPAlgorithm, alg="ES256"),
        jwk(RSA, RSAAlgorithm, alg="RS512"),
        {**OKPAlgorithm.to_jwk(ED, as_dict=True), "kid": "private"},
        jwk(ec.generate_private_key(ec.SECP384R1()), ECAlgorithm),
        jwk(rsa.generate_private_key(65537, 1024), RSAAlgorithm),
        {"kty": "oct", "kid": "k", "k": "c2VjcmV0"},
        {"kty": "OKP", "kid": "k", "crv": "Ed25519", "x": "short"},
        {"kty": "RSA", "kid": "k", "n": "!", "e": "AQAB"},
        {"kty": "EC", "kid": "k"},
        {"kid": 7},
        {},
    ],
)
def test_keys_that_we_cannot_use_are_passed_over(key: dict[str, Any]) -> None:
    good = jwk(ED, OKPAlgorithm, kid="good")
    assert set(published_keys(document(key, good))) == {"good"}


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"keys":{}}', b'{"keys":[1]}', b"\xff", b"[" * 9999])
def test_what_is_no_key_set_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="is not a JSON Web Key Set"):
        published_keys(text)


def test_a_set_is_bounded() -> None:
    with pytest.raises(ValueError, match="more than 128"):
        published_keys(document(*[{}] * (MAX_PUBLISHED + 1)))


def test_a_withdrawn_key_is_refused_at_once_also_for_tokens_seen_before() -> None:
    one = verifier(jwk(ED, OKPAlgorithm))
    good = token(ED, "EdDSA")
    one.verify(good)
    one.trust({})
    with pytest.raises(ProtocolError):
        one.verify(good)


def test_our_secret_does_not_prolong_the_token_of_a_published_key_of_that_name() -> None:
    one = verifier(jwk(ED, OKPAlgorithm, kid="own"), own={"own": SECRET})
    assert one.reissue(one.verify(token(ED, "EdDSA", "own"))) is None
