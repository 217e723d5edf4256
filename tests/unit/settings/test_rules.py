"""What must hold between settings, inside their strings, and of the files that they name."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from palaver.settings import Override, Settings, load, read

SECRET = "s" * 32


def problems(*values: tuple[str, object], dev: bool = False) -> list[str]:
    overrides = [Override("--set", path, value) for path, value in values]
    return [problem.message for problem in read(overrides=overrides, dev=dev)[1]]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("gateway.outbox_close_bytes", 262144, "must be below gateway.outbox_close_bytes (262144)"),
        ("gateway.max_message_bytes", 204800, "must be below gateway.max_message_bytes (204800)"),
        ("gateway.max_message_bytes_before_auth", 262145, "must not exceed gateway.max_message_bytes"),
        ("rooms.flap_ms", 10_001, "rooms.flap_ms (10001) must not exceed rooms.grace_ms (10000)"),
        ("gateway.host", "", "gateway.host must not be empty"),
        ("http.host", " ", "http.host must not be empty"),
        ("gateway.path", "v1", "gateway.path must begin with /"),
        ("gateway.path", "/v1?x", "gateway.path must begin with /"),
        ("gateway.origins", "https://a.b/", "gateway.origins must be scheme://host[:port] without a path"),
        ("gateway.origins", "a.b", "gateway.origins must be scheme://host[:port] without a path"),
        ("gateway.trusted_proxies", "10.0.0.1/8", "must be IP addresses or networks, not '10.0.0.1/8'"),
        ("media.addresses", "localhost", "media.addresses must be IP addresses, not 'localhost'"),
        ("media.ice_servers", "https://a.b", "media.ice_servers must be stun:, stuns:, turn: or turns: URLs"),
        ("http.port", 7880, "http.port must differ from gateway.port (7880) on the same host"),
        ("gateway.tls_key", "k.pem", "gateway.tls_key needs gateway.tls_certificate beside it"),
        ("gateway.tls_certificate", "c.pem", "gateway.tls_certificate needs gateway.tls_key beside it"),
    ],
)
def test_a_broken_rule_is_told(path: str, value: object, message: str) -> None:
    (found,) = problems((path, value))
    assert message in found


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("rooms.flap_ms", 10_000),
        ("gateway.outbox_close_bytes", 262145),
        ("gateway.origins", "*,https://a.b:8443,capacitor://localhost,http://[::1]:7881"),
        ("gateway.trusted_proxies", "10.0.0.0/8,::1,192.0.2.7"),
        ("media.addresses", "127.0.0.1,::1"),
        ("media.ice_servers", "stun:a.b:3478,turns:a.b?transport=tcp"),
    ],
)
def test_a_kept_rule_is_silent(path: str, value: object) -> None:
    assert problems((path, value)) == []


def test_the_line_that_broke_the_rule_is_blamed(tmp_path: Path) -> None:
    path = tmp_path / "palaver.toml"
    path.write_text("[rooms]\ngrace_ms = 5\n[gateway]\norigins = [\n  'https://a.b',\n  'https://c.d/',\n]\n")
    assert [(problem.where, problem.line) for problem in read(path)[1]] == [(str(path), 2), (str(path), 6)]


def test_a_secret_has_32_bytes_unless_in_development() -> None:
    (found,) = problems(("auth.keys.a", "s" * 31))
    assert found == "auth.keys.a must be a secret of at least 32 bytes or a PEM public key (it has 31 bytes)"
    assert problems(("auth.keys.a", SECRET)) == []
    assert problems(("auth.keys.a", "short"), dev=True) == []
    (found,) = problems(("auth.weak_secrets", True))
    assert found == "auth.weak_secrets is for palaver dev; give real keys 32 bytes"


@pytest.mark.parametrize("key_id", ["a\nb", "x" * 129])
def test_a_key_id_is_a_name(key_id: str) -> None:
    (found,) = problems(("auth.keys." + key_id, SECRET))
    assert "must be 1–128 printable characters" in found


PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def public_pem(key: PrivateKey) -> str:
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def private_pem(key: PrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def test_public_keys_of_the_three_algorithms_are_accepted() -> None:
    for key in (
        ed25519.Ed25519PrivateKey.generate(),
        ec.generate_private_key(ec.SECP256R1()),
        rsa.generate_private_key(65537, 2048),
    ):
        assert problems(("auth.keys.a", public_pem(key))) == []


def test_other_keys_are_refused() -> None:
    curve = ec.generate_private_key(ec.SECP384R1())
    for pem, message in (
        (public_pem(curve), "auth.keys.a must be on the curve P-256 (ES256)"),
        (public_pem(rsa.generate_private_key(65537, 1024)), "must be an RSA key of at least 2048 bits"),
        (private_pem(curve), "must be the public key"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "is not a PEM public key"),
    ):
        (found,) = problems(("auth.keys.a", pem))
        assert message in found


def test_tls_files_must_be_readable_and_belong_together(tmp_path: Path) -> None:
    import trustme

    authority = trustme.CA()
    one, other = authority.issue_cert("localhost"), authority.issue_cert("localhost")
    certificate, key, wrong = (str(tmp_path / name) for name in ("c.pem", "k.pem", "w.pem"))
    one.cert_chain_pems[0].write_to_path(certificate)
    one.private_key_pem.write_to_path(key)
    other.private_key_pem.write_to_path(wrong)

    def tls(key: str) -> list[str]:
        return problems(("gateway.tls_certificate", certificate), ("gateway.tls_key", key))

    assert tls(key) == []
    assert "cannot be used together: KEY_VALUES_MISMATCH" in tls(wrong)[0]
    absent = str(tmp_path / "absent.pem")
    assert tls(absent) == [f"gateway.tls_key ({absent!r}) cannot be read: No such file or directory"]
    assert "cannot be used together" in tls(certificate)[0]
    assert "cannot be read" in tls("a\0b")[0]
    names = [Override("--set", f"gateway.{name}", "/nowhere") for name in ("tls_certificate", "tls_key")]
    assert load(overrides=names, files=False).gateway.tls_key == "/nowhere"


def test_settings_that_break_no_rule_are_given() -> None:
    assert isinstance(load(overrides=[Override("--set", "auth.keys.a", SECRET)]), Settings)


def test_an_admin_token_is_long_and_fits_a_header() -> None:
    (found,) = problems(("http.admin_token", "t" * 31))
    assert found == "http.admin_token must have at least 32 bytes (it has 31), or be empty"
    assert "must be printable ASCII" in problems(("http.admin_token", "t" * 32 + "é"))[0]
    assert problems(("http.admin_token", "t" * 32)) == []


def test_webhooks_are_signed_with_a_secret_of_the_node() -> None:
    urls = ("webhooks.urls", "https://a.example/hook,http://127.0.0.1:9000")
    assert "webhooks.key must name a key" in problems(urls)[0]
    assert "webhooks.key must name a key" in problems(urls, ("webhooks.key", "a"))[0]
    assert problems(urls, ("webhooks.key", "a"), ("auth.keys.a", SECRET)) == []
    assert "webhooks.urls must be http:// or https:// URLs" in problems(("webhooks.urls", "ftp://a"))[0]


def test_alternatives_are_websocket_urls_that_fit_a_close_frame() -> None:
    assert problems(("gateway.alternatives", "wss://b.example/v1,ws://10.0.0.2:7880/v1")) == []
    (found,) = problems(("gateway.alternatives", "https://b.example"))
    assert found == "gateway.alternatives must be ws:// or wss:// URLs, not 'https://b.example'"
    (found,) = problems(("gateway.alternatives", "wss://" + "b" * 105))
    assert "URLs of at most 110 characters" in found


def test_key_sets_are_files_or_web_urls() -> None:
    assert problems(("auth.jwks", "https://issuer.example/jwks?v=1,keys/partner.json,/etc/jwks")) == []
    (found,) = problems(("auth.jwks", "ftp://issuer.example/jwks"))
    assert (
        found == "auth.jwks must be file names, or http:// or https:// URLs, not 'ftp://issuer.example/jwks'"
    )


def test_turn_servers_need_their_secret() -> None:
    servers = ("media.turn_servers", "turn:turn.example:3478")
    assert "needs media.turn_secret" in problems(servers)[0]
    assert problems(servers, ("media.turn_secret", "x")) == []
