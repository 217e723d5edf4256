"""The demo page's files, and what the browser may do with them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from importlib.resources import files
from urllib.parse import urlsplit

from msgspec import Struct

_JAVASCRIPT = "text/javascript; charset=utf-8"

PAGE_FILES: dict[str, tuple[str, str]] = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/demo.css": ("demo.css", "text/css; charset=utf-8"),
    "/demo.js": ("demo.js", _JAVASCRIPT),
    "/demo-tile.js": ("demo-tile.js", _JAVASCRIPT),
    "/demo-words.js": ("demo-words.js", _JAVASCRIPT),
    "/palaver.js": ("palaver.js", _JAVASCRIPT),
    "/palaver-call.js": ("palaver-call.js", _JAVASCRIPT),
    "/palaver-media.js": ("palaver-media.js", _JAVASCRIPT),
    "/palaver-errors.js": ("palaver-errors.js", _JAVASCRIPT),
    "/palaver-route.js": ("palaver-route.js", _JAVASCRIPT),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
"""Path → file in `static/` and its media type, written out: the machine's own table of types is not to be
trusted (a module served as text/plain does not run)."""

_HOST_SOURCE = re.compile(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?\Z")


class PageFile(Struct, frozen=True):
    body: bytes
    content_type: str
    etag: str


def load_page(path: str) -> PageFile:
    name, content_type = PAGE_FILES[path]
    body = (files("palaver.http") / "static" / name).read_bytes()
    return PageFile(body, content_type, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


def host_asked(authority: str) -> str | None:
    """Returns the host of a Host header (RFC 9110 § 7.2), an IPv6 address in its brackets; None for anything else."""
    match = _HOST_SOURCE.match(authority)
    return match[1] if match is not None else None


def policy(gateways: Iterable[str]) -> dict[str, str]:
    """Returns the page's headers: nothing from elsewhere, no inline code, and WebSockets to these `gateways` alone.

    A gateway that is not a plain ws:// or wss:// URL is left out, for it would end or widen the policy.
    """
    connect = "'self'"
    for gateway in gateways:
        url = urlsplit(gateway)
        if url.scheme in ("ws", "wss") and _HOST_SOURCE.match(url.netloc):
            connect += f" {url.scheme}://{url.netloc}"
    return {
        "Content-Security-Policy": "; ".join(
            (
                "default-src 'none'",
                "script-src 'self'",
                "style-src 'self'",
                "img-src 'self'",
                f"connect-src {connect}",
                "base-uri 'none'",
                "form-action 'none'",
                "frame-ancestors 'none'",
                "require-trusted-types-for 'script'",
            )
        ),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(self), microphone=(self), display-capture=(self), geolocation=()",
    }
