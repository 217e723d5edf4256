"""The opening handshake: bytes of a request → an upgrade or a refusal (RFC 6455 § 4.2, RFC 9112)."""

from __future__ import annotations

import re
from base64 import b64encode
from binascii import a2b_base64
from functools import lru_cache
from hashlib import sha1
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import parse_qs

from palaver.gateway.policy import HandshakePolicy

MAX_HEAD_BYTES = 16 * 1024
"""Request line and headers. Proxies add theirs, cookies and a token (`bearer.<jwt>`) may come along: 8 KiB is
what most servers take."""
MAX_HEADERS = 100

SUBPROTOCOL = "palaver.v1"
BEARER_PREFIX = "bearer."

_UPGRADE_HEADERS = (("Upgrade", "websocket"), ("Connection", "Upgrade"))
_ACCEPT_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TARGET = re.compile(r"/[!-\"$-~]*")
_FIELD = re.compile(r"\r\n([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([\t -~]*+)(?=\r\n|\Z)")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]+)(:[0-9]*)?")


class Refusal(NamedTuple):
    """The answer to a request that is not upgraded. The socket is closed after it."""

    status: HTTPStatus
    why: str
    headers: tuple[tuple[str, str], ...] = ()

    def response(self) -> bytes:
        body = self.why.encode() + b"\n"
        lines = [f"HTTP/1.1 {self.status.value} {self.status.phrase}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        lines += [
            "Connection: close",
            "Content-Type: text/plain; charset=utf-8",
            f"Content-Length: {len(body)}",
        ]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Request(NamedTuple):
    """A well-formed HTTP/1.1 GET without a body. Header names are in lower case, their values in the order they came."""

    target: str
    headers: dict[str, list[str]]

    def all(self, name: str) -> list[str]:
        return self.headers.get(name, [])

    def tokens(self, name: str) -> list[str]:
        """The elements of a comma-separated list, over all headers of that name (RFC 9110 § 5.6.1)."""
        return [part.strip() for value in self.all(name) for part in value.split(",") if part.strip()]


class Upgrade(NamedTuple):
    """A request that is granted."""

    key: str
    subprotocol: str | None
    bearer: str | None
    address: str
    host: str

    def response(self) -> bytes:
        accept = b64encode(sha1(self.key.encode() + _ACCEPT_GUID).digest())
        protocol = f"Sec-WebSocket-Protocol: {self.subprotocol}\r\n".encode() if self.subprotocol else b""
        return (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n" + protocol + b"\r\n"
        )


def _bad(why: str) -> Refusal:
    return Refusal(HTTPStatus.BAD_REQUEST, why)


def head_is_hopeless(head: bytes | bytearray) -> bool:
    """Tells from the first byte that no HTTP request follows but, say, a TLS hello; no answer is due then."""
    return not head[:1].isalpha()


def parse_request(head: bytes) -> Request | Refusal:
    """Reads a request head, the blank line not included."""
    text = head.decode("latin-1")  # no pattern lets more than ASCII pass
    request_line = text.partition("\r\n")[0]
    count = text.count("\r\n")
    if count > MAX_HEADERS:
        return Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"more than {MAX_HEADERS} headers")
    match request_line.split(" "):
        case [method, target, version] if _TOKEN.fullmatch(method):
            pass
        case _:
            return _bad("malformed request line")
    if version != "HTTP/1.1":
        if re.fullmatch(r"HTTP/[0-9]\.[0-9]", version):
            return Refusal(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "this needs HTTP/1.1")
        return _bad("malformed request line")
    if method != "GET":
        return Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "only GET", (("Allow", "GET"),))
    if not _TARGET.fullmatch(target):
        return _bad("the request target must be a path")
    fields = _FIELD.findall(text, len(request_line))
    if len(fields) != count:
        return _bad("malformed header")
    headers: dict[str, list[str]] = {}
    for name, value in fields:
        headers.setdefault(name.lower(), []).append(value.strip(" \t"))
    request = Request(target, headers)
    if request.all("transfer-encoding") or request.all("content-length") not in ([], ["0"]):
        return _bad("a body is not expected")
    match request.all("host"):
        case [host] if _host_name(host) is not None:
            return request
        case _:
            return _bad("one Host header is needed")


def decide(request: Request, peer: str, policy: HandshakePolicy) -> Upgrade | Refusal:
    """Grants the upgrade, or says why not. `peer` is the IP address at the socket's other end."""
    path, _, query = request.target.partition("?")
    if path != policy.path:
        return Refusal(HTTPStatus.NOT_FOUND, "not found")
    if "websocket" not in map(str.lower, request.tokens("upgrade")):
        return Refusal(HTTPStatus.UPGRADE_REQUIRED, "this is a WebSocket", _UPGRADE_HEADERS)
    if "upgrade" not in map(str.lower, request.tokens("connection")):
        return _bad("Connection: Upgrade is missing")
    if request.all("sec-websocket-version") != ["13"]:
        return Refusal(
            HTTPStatus.UPGRADE_REQUIRED,
            "this speaks version 13 only",
            (("Sec-WebSocket-Version", "13"), *_UPGRADE_HEADERS),
        )
    keys = request.all("sec-websocket-key")
    if len(keys) != 1 or not _is_key(keys[0]):
        return _bad("one Sec-WebSocket-Key of 16 bytes is needed")
    if not policy.origin_allowed(request.all("origin")):
        return Refusal(HTTPStatus.FORBIDDEN, "origin not allowed")
    offered = request.tokens("sec-websocket-protocol")
    if not all(_TOKEN.fullmatch(protocol) for protocol in offered):
        return _bad("malformed Sec-WebSocket-Protocol")
    bearers = [entry.removeprefix(BEARER_PREFIX) for entry in offered if entry.startswith(BEARER_PREFIX)]
    if policy.token_in_query and not bearers:
        bearers = parse_qs(query).get("token", [])
    if len(bearers) > 1:
        return _bad("more than one token")
    protocols = [entry for entry in offered if not entry.startswith(BEARER_PREFIX)]
    if protocols and SUBPROTOCOL not in protocols:
        return _bad(f"only the subprotocol {SUBPROTOCOL} is spoken here")
    host = _host_name(request.all("host")[0])
    assert host is not None, "parse_request has looked"
    return Upgrade(
        key=keys[0],
        subprotocol=SUBPROTOCOL if protocols else None,
        bearer=bearers[0] if bearers else None,
        address=policy.client_address(peer, request.tokens("x-forwarded-for")),
        host=host,
    )


@lru_cache(maxsize=256)
def _host_name(host: str) -> str | None:
    """A Host header without the port; None for none. Clients ask for few."""
    match = _HOST.fullmatch(host)
    return None if match is None else match[1]


def _is_key(key: str) -> bool:
    """16 bytes in base64 (RFC 6455 § 4.1)."""
    try:
        return len(key) == 24 and len(a2b_base64(key, strict_mode=True)) == 16
    except ValueError:
        return False
