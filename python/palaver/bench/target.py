"""The node that is loaded, from its URL."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from palaver.bench.plan import Tls
from palaver.bench.wire import Target
from palaver.errors import PalaverError

CONNECT_SECONDS: Final = 5.0
"""How long a node may take to accept the first connection: three times as long as its first SYN's repetition (RFC 6298) comes."""


class TargetError(PalaverError):
    """The URL names no node that could be loaded."""


def target_of(url: str, authorities: Path | None = None) -> Target:
    """Reads ws://host:port/path or wss://…; `authorities` is a PEM file of certificates to trust beside the system's.

    Raises TargetError.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or {"ws": 80, "wss": 443}[parts.scheme]
    except (ValueError, KeyError):
        raise TargetError(f"{url!r} must be ws://host:port/path or wss://host:port/path") from None
    if not parts.hostname:
        raise TargetError(f"{url!r} names no host")
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise TargetError(f"{parts.hostname} cannot be found: {error.strerror or error}") from None
    # The first one; of a name that means both, IPv4, because palaver's own default is 127.0.0.1.
    host = str(min(found, key=lambda entry: entry[0] != socket.AF_INET)[4][0])
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    tls = _tls(parts.hostname, authorities) if parts.scheme == "wss" else None
    return Target(host, port, parts.netloc.rpartition("@")[2], path, tls)


def check_reachable(target: Target) -> None:
    """Connects once and closes, so that a run against nobody ends before it begins. Raises TargetError."""
    where = f"{target.host}:{target.port}"
    try:
        socket.create_connection((target.host, target.port), timeout=CONNECT_SECONDS).close()
    except ConnectionRefusedError:
        raise TargetError(
            f"nobody listens at {where}: start a node with `palaver dev` or `palaver serve`, or name one with --url"
        ) from None
    except TimeoutError:
        raise TargetError(f"{where} does not answer within {CONNECT_SECONDS:g} s") from None
    except OSError as error:
        raise TargetError(f"cannot connect to {where}: {error.strerror or error}") from None


def _tls(name: str, authorities: Path | None) -> Tls:
    context = ssl.create_default_context()
    if authorities is not None:
        try:
            context.load_verify_locations(authorities)
        except (OSError, ssl.SSLError) as error:
            raise TargetError(
                f"{authorities}: cannot be used as certificates: {error.strerror or error}"
            ) from None
    roots = tuple(context.get_ca_certs(binary_form=True))
    if not roots:
        raise TargetError("this machine has no certificates to trust; name some with --ca")
    return Tls(name, roots)
