"""What must hold beyond the type of a field: between fields, inside strings, of the files that they name."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import Any

from palaver.settings.broken import Broken
from palaver.settings.cluster_rules import broken_cluster_rules
from palaver.settings.tree import AuthSettings, HttpSettings, Settings
from palaver.settings.workers import broken_worker_rules

SECRET_BYTES = 32
"""RFC 7518 § 3.2: a key of HS256 is at least as long as its hash."""

ALTERNATIVE_BYTES = 110
"""What a CLOSE frame's reason of 123 bytes (RFC 6455 § 5.5) holds beside "go to "."""


def broken_rules(settings: Settings, *, dev: bool = False, files: bool = True) -> Iterator[Broken]:
    """Every rule that does not hold. `dev` allows weak secrets; without `files` no named file is looked at."""
    yield from _orders(settings)
    yield from _words(settings)
    yield from _tls(settings, files)
    yield from _keys(settings.auth, dev)
    yield from _admin(settings.http)
    yield from _webhooks(settings)
    yield from broken_cluster_rules(settings.cluster)
    yield from broken_worker_rules(settings)
    endpoint = settings.tracing.endpoint
    if endpoint and not re.fullmatch(r"https?://[^/\s?#]+[^\s#]*", endpoint):
        message = f"tracing.endpoint must be an http:// or https:// URL, not {endpoint!r}"
        yield Broken(("tracing.endpoint",), message)


# smaller, must be below or not above, larger
_ORDERS: tuple[tuple[str, str, str], ...] = (
    ("gateway.outbox_shed_bytes", "<", "gateway.outbox_close_bytes"),
    ("limits.sdp_bytes", "<", "gateway.max_message_bytes"),
    ("gateway.max_message_bytes_before_auth", "<=", "gateway.max_message_bytes"),
    ("gateway.max_message_bytes", "<=", "limits.received_burst_bytes"),
    ("limits.rulings_per_room", "<=", "limits.rulings"),
    ("rooms.flap_ms", "<=", "rooms.grace_ms"),
)


def _orders(settings: Settings) -> Iterator[Broken]:
    for small, order, large in _ORDERS:
        low, high = _value(settings, small), _value(settings, large)
        if not (low < high or (order == "<=" and low == high)):
            words = "must be below" if order == "<" else "must not exceed"
            yield Broken((small, large), f"{small} ({low}) {words} {large} ({high})")


def _value(settings: Settings, path: str) -> Any:
    group, name = path.split(".")
    return getattr(getattr(settings, group), name)


def _is_address(text: str, parse: Callable[[str], object] = ipaddress.ip_address) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


# list, what each entry must be: as a predicate, and in words
_ENTRIES: tuple[tuple[str, Callable[[str], object], str], ...] = (
    (
        "gateway.origins",
        re.compile(r"\*|[a-z][a-z0-9+.-]*://[^/?#@\s]+").fullmatch,
        "scheme://host[:port] without a path, or '*'",
    ),
    (
        "gateway.trusted_proxies",
        lambda text: _is_address(text, ipaddress.ip_network),
        "IP addresses or networks",
    ),
    (
        "gateway.alternatives",
        re.compile(r"wss?://[^\s/?#]+[!-~]*").fullmatch,
        "ws:// or wss:// URLs",
    ),
    (
        "auth.jwks",
        re.compile(r"https?://[^\s/?#]+[!-~]*|(?!\w+://).+").fullmatch,
        "file names, or http:// or https:// URLs",
    ),
    ("media.addresses", _is_address, "IP addresses"),
    ("webhooks.urls", re.compile(r"https?://[^/\s?#]+[^\s#]*").fullmatch, "http:// or https:// URLs"),
    (
        "media.ice_servers",
        re.compile(r"(stuns?|turns?):[^\s/]+").fullmatch,
        "stun:, stuns:, turn: or turns: URLs",
    ),
)


def _words(settings: Settings) -> Iterator[Broken]:
    gateway, http = settings.gateway, settings.http
    for path in ("gateway.host", "http.host"):
        if not _value(settings, path).strip():  # the empty host would be every interface
            yield Broken((path,), f"{path} must not be empty; 0.0.0.0 or :: is every interface")
    if not re.fullmatch(r"/[^\s?#]*", gateway.path):
        message = f"gateway.path must begin with / and hold no blank, ? or #, not {gateway.path!r}"
        yield Broken(("gateway.path",), message)
    for path, fits, rule in _ENTRIES:
        for index, entry in enumerate(_value(settings, path)):
            if not fits(entry):
                yield Broken((f"{path}.{index}", path), f"{path} must be {rule}, not {entry!r}")
    for index, url in enumerate(gateway.alternatives):
        if len(url) > ALTERNATIVE_BYTES:
            message = (
                f"gateway.alternatives must hold URLs of at most {ALTERNATIVE_BYTES} characters, not {url!r}"
            )
            yield Broken((f"gateway.alternatives.{index}", "gateway.alternatives"), message)
    media = settings.media
    if media.turn_servers and not media.turn_secret:
        message = "media.turn_servers needs media.turn_secret, the secret that the TURN servers share with us"
        yield Broken(("media.turn_servers",), message)
    if gateway.port and gateway.port == http.port and gateway.host == http.host:
        yield Broken(
            ("http.port", "gateway.port", "http.host", "gateway.host"),
            f"http.port must differ from gateway.port ({gateway.port}) on the same host",
        )


def _tls(settings: Settings, files: bool) -> Iterator[Broken]:
    certificate, key = settings.gateway.tls_certificate, settings.gateway.tls_key
    if not certificate and not key:
        return
    if not certificate or not key:
        have, lack = ("tls_certificate", "tls_key") if certificate else ("tls_key", "tls_certificate")
        yield Broken((f"gateway.{have}",), f"gateway.{have} needs gateway.{lack} beside it")
        return
    if not files:
        return
    import ssl

    paths = ("gateway.tls_certificate", "gateway.tls_key")
    unreadable = [*_unreadable(paths[0], certificate), *_unreadable(paths[1], key)]
    if unreadable:
        yield from unreadable
        return
    try:
        # An empty password, because else OpenSSL asks for one on the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        reason = error.reason or "not PEM"
        yield Broken(paths, f"gateway.tls_certificate and gateway.tls_key cannot be used together: {reason}")
    except OSError as error:  # it went between the two looks
        yield Broken(paths, f"gateway.tls_certificate or gateway.tls_key cannot be read: {_reason(error)}")


def _unreadable(path: str, file: str) -> Iterator[Broken]:
    """Looked at first, because load_cert_chain does not say which of its two files it could not read."""
    try:
        open(file, "rb").close()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        yield Broken((path,), f"{path} ({file!r}) cannot be read: {_reason(error)}")


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _keys(auth: AuthSettings, dev: bool) -> Iterator[Broken]:
    if auth.weak_secrets and not dev:
        yield Broken(("auth.weak_secrets",), "auth.weak_secrets is for palaver dev; give real keys 32 bytes")
    for key_id, key in auth.keys.items():
        path = f"auth.keys.{key_id}"
        if not key_id.isprintable() or not 1 <= len(key_id) <= 128:
            message = f"auth.keys: the key id {key_id!r} must be 1–128 printable characters"
            yield Broken(("auth.keys",), message)
        elif is_pem(key):
            if problem := _pem_problem(key):
                yield Broken((path, "auth.keys"), f"{path} {problem}")
        elif len(key.encode()) < SECRET_BYTES and not dev:
            yield Broken(
                (path, "auth.keys"),
                f"{path} must be a secret of at least {SECRET_BYTES} bytes or a PEM public key"
                f" (it has {len(key.encode())} bytes)",
            )


def _admin(http: HttpSettings) -> Iterator[Broken]:
    size = len(http.admin_token.encode())
    if 0 < size < SECRET_BYTES:
        message = f"http.admin_token must have at least {SECRET_BYTES} bytes (it has {size}), or be empty"
        yield Broken(("http.admin_token",), message)
    elif not all("!" <= each <= "~" for each in http.admin_token):
        yield Broken(("http.admin_token",), "http.admin_token must be printable ASCII without blanks")


def _webhooks(settings: Settings) -> Iterator[Broken]:
    webhooks = settings.webhooks
    if not webhooks.urls:
        return
    key = settings.auth.keys.get(webhooks.key)
    if key is None or is_pem(key):
        message = (
            "webhooks.key must name a key of auth.keys that is a secret, to sign what goes to webhooks.urls"
        )
        yield Broken(("webhooks.key", "webhooks.urls"), message)


def is_pem(key: str) -> bool:
    """Whether a value of auth.keys is a PEM text, rather than a shared secret."""
    return key.lstrip().startswith("-----BEGIN ")


def _pem_problem(pem: str) -> str | None:
    if "PRIVATE KEY-----" in pem:
        return "must be the public key; the private key belongs to whoever mints tokens"
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(pem.strip().encode())
    except (ValueError, UnsupportedAlgorithm):
        return "is not a PEM public key"
    if isinstance(key, ed25519.Ed25519PublicKey):
        return None
    if isinstance(key, ec.EllipticCurvePublicKey):
        return None if key.curve.name == "secp256r1" else "must be on the curve P-256 (ES256)"
    if isinstance(key, rsa.RSAPublicKey):
        return None if key.key_size >= 2048 else "must be an RSA key of at least 2048 bits"  # RFC 7518 § 3.3
    return "must be an Ed25519 (EdDSA), P-256 (ES256) or RSA (RS256) key"
