"""The Tokens group: what a token may be, and what is refused (protocol § 4, RFC 8725)."""

from __future__ import annotations

import base64
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from palaver.errors import SettingsError
from palaver.protocol.errors import ProtocolError
from palaver.settings import AuthSettings
from palaver.signaling.keys import load_keys
from palaver.signaling.tokens import TokenVerifier, mint

SECRET = "a secret for tests, of more than 32 bytes"
NOW = 1_700_000_000.0


def pem(private: Any) -> tuple[str, str]:
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    secret = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return secret.decode(), public.decode()


RSA_PRIVATE, RSA_PUBLIC = pem(rsa.generate_private_key(65537, 2048))
EC_PRIVATE, EC_PUBLIC = pem(ec.generate_private_key(ec.SECP256R1()))
ED_PRIVATE, ED_PUBLIC = pem(ed25519.Ed25519PrivateKey.generate())
KEYS = {"hs": SECRET, "rs": RSA_PUBLIC, "es": EC_PUBLIC, "ed": ED_PUBLIC}


def verifier(now: float = NOW, **settings: Any) -> TokenVerifier:
    return TokenVerifier(AuthSettings(keys=KEYS, **settings), lambda: now)


def token(
    key: str = SECRET,
    alg: str = "HS256",
    headers: dict[str, Any] | None = None,
    without: str = "",
    **claims: Any,
) -> str:
    payload = {
        "iss": "hs",
        "sub": "alice",
        "iat": NOW,
        "exp": NOW + 3600,
        "video": {"roomJoin": True},
        **claims,
    }
    payload.pop(without, None)
    return jwt.encode(payload, key, algorithm=alg, headers=headers)


def refused(text: str, now: float = NOW, **settings: Any) -> str:
    with pytest.raises(ProtocolError) as error:
        verifier(now, **settings).verify(text)
    return error.value.reason


@pytest.mark.parametrize(
    ("iss", "key", "alg"),
    [
        ("hs", SECRET, "HS256"),
        ("rs", RSA_PRIVATE, "RS256"),
        ("es", EC_PRIVATE, "ES256"),
        ("ed", ED_PRIVATE, "EdDSA"),
    ],
)
def test_each_key_verifies_with_its_own_algorithm(iss: str, key: str, alg: str) -> None:
    claims = verifier().verify(token(key, alg, iss=iss))
    assert (claims.identity, claims.key_id) == ("alice", iss)


def test_a_livekit_token_is_understood() -> None:
    video = {
        "room": "r",
        "roomJoin": True,
        "canPublish": False,
        "canPublishSources": ["camera"],
        "hidden": True,
    }
    claims = verifier().verify(
        token(video=video, name="Alice", attributes={"a": "b"}, metadata="ours to ignore")
    )
    assert claims.grants.room == "r"
    assert claims.grants.can_publish is False
    assert claims.grants.can_subscribe is True
    assert claims.grants.hidden is True
    assert (claims.name, claims.attributes, claims.role) == ("Alice", {"a": "b"}, "participant")
    assert verifier().verify(token(video={"roomAdmin": True})).role == "moderator"


def test_an_unsigned_token_is_refused() -> None:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    payload = {"iss": "hs", "sub": "alice", "exp": NOW + 60, "video": {"roomJoin": True}}
    assert refused(f"{part({'alg': 'none'})}.{part(payload)}.") == "token_invalid"


def test_hs256_with_a_public_key_as_secret_is_refused() -> None:
    import hashlib
    import hmac

    head = token(iss="rs").rsplit(".", 1)[0]
    digest = hmac.new(RSA_PUBLIC.encode(), head.encode(), hashlib.sha256).digest()
    forged = f"{head}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"
    assert refused(forged) == "token_invalid"


@pytest.mark.parametrize("header", ["crit", "jku", "jwk", "x5u", "x5c"])
def test_a_token_does_not_say_how_to_verify_it(header: str) -> None:
    assert refused(token(headers={header: ["x"]})) == "token_invalid"


@pytest.mark.parametrize("iss", ["../../hs", "unknown", "", 5, None, ["hs"]])
def test_an_unknown_key_id_is_refused(iss: object) -> None:
    payload = {"iss": iss, "sub": "alice", "exp": NOW + 60}
    head = base64.urlsafe_b64encode(b'{"alg":"HS256"}').rstrip(b"=").decode()
    body = base64.urlsafe_b64encode(json.dumps(payload).encode()).rstrip(b"=").decode()
    assert refused(f"{head}.{body}.AAAA") == "token_invalid"


def test_time_rules_with_sixty_seconds_of_leeway() -> None:
    assert refused(token(without="exp")) == "token_invalid"
    assert refused(token(exp=NOW - 61)) == "token_expired"
    verifier().verify(token(exp=NOW - 59))
    assert refused(token(nbf=NOW + 61)) == "token_invalid"
    verifier().verify(token(nbf=NOW + 59))


def test_a_token_that_lives_too_long_is_refused() -> None:
    assert refused(token(exp=NOW + 86_400 + 61)) == "token_invalid"
    assert refused(token(exp=NOW + 86_400 + 61, without="iat")) == "token_invalid"
    assert refused(token(iat=NOW + 86_400, exp=NOW + 2 * 86_400)) == "token_invalid"
    verifier().verify(token(exp=NOW + 86_400))


def test_a_remembered_token_still_expires() -> None:
    now = [NOW]
    one = TokenVerifier(AuthSettings(keys=KEYS), lambda: now[0])
    text = token(exp=NOW + 10)
    one.verify(text)
    now[0] = NOW + 71
    with pytest.raises(ProtocolError, match="expired"):
        one.verify(text)


def test_the_audience_counts_where_one_is_set() -> None:
    assert refused(token(), audience="palaver") == "token_invalid"
    assert refused(token(aud="other"), audience="palaver") == "token_invalid"
    verifier(audience="palaver").verify(token(aud=["other", "palaver"]))
    verifier().verify(token(aud="whatever"))


@pytest.mark.parametrize(
    "text",
    ["", "a.b", "a.b.c", "x" * 65_536, token()[:-4] + "AAAA", token(sub=""), token(sub=5), token(sub="a\nb"),
     token(sub="e\u0301"), token(name="a\nb"),
     token(video="all"), token(role="king")],
)  # fmt: skip
def test_other_rubbish_is_refused(text: str) -> None:
    assert refused(text) == "token_invalid"


def test_weak_keys_are_refused_at_start() -> None:
    for key in ("short", "-----BEGIN PUBLIC KEY-----\nrubbish\n-----END PUBLIC KEY-----"):
        with pytest.raises(SettingsError, match=r"auth\.keys\.k"):
            TokenVerifier(AuthSettings(keys={"k": key}), lambda: NOW)
    _, small = pem(rsa.generate_private_key(65537, 1024))
    with pytest.raises(SettingsError, match="2048"):
        TokenVerifier(AuthSettings(keys={"k": small}), lambda: NOW)


def test_mint_makes_what_verify_takes() -> None:
    text = mint(
        "hs", SECRET, identity="bob", room="r", role="owner", name="Bob", now=NOW, grants={"diag": True}
    )
    claims = verifier().verify(text)
    assert (claims.identity, claims.role, claims.name) == ("bob", "owner", "Bob")
    assert claims.grants.admits("r")
    assert not claims.grants.admits("other")
    assert claims.grants.diag
    assert claims.grants.room_admin


@pytest.mark.parametrize("text", ["ssh-rsa " + "A" * 40, '{"kty":"oct","k":"' + "A" * 43 + '"}'])
def test_a_key_of_another_kind_is_no_secret(text: str) -> None:
    with pytest.raises(SettingsError, match=r"auth\.keys\.k: this is no secret"):
        load_keys(AuthSettings(keys={"k": text}))


def test_sources_may_have_the_names_that_livekits_token_servers_give_them() -> None:
    video = {
        "roomJoin": True,
        "canPublishSources": ["microphone", "screen_share", "screen", "screen_share_audio"],
    }
    grants = verifier().verify(token(video=video)).grants
    assert grants.can_publish_sources == ("microphone", "screen", "screenAudio")
    assert refused(token(video={"canPublishSources": ["unknown"]})) == "token_invalid"
