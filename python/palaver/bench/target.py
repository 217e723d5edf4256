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
    """Connects once and asks for the page, so that a run against nobody, or in the wrong scheme, ends before it begins.

    Raises TargetError. Whether a certificate is trusted is not looked at: refusals say so.
    """
    where = f"{target.host}:{target.port}"
    try:
        with socket.create_connection((target.host, target.port), timeout=CONNECT_SECONDS) as connection:
            answered = _answers(connection, target)
    except ConnectionRefusedError:
        raise TargetError(
            f"nobody listens at {where}: start a node with `palaver dev` or `palaver serve`, or name one with --url"
        ) from None
    except TimeoutError:
        raise TargetError(f"{where} does not answer within {CONNECT_SECONDS:g} s") from None
    except OSError as error:
        raise TargetError(f"cannot connect to {where}: {error.strerror or error}") from None
    if not answered:
        spoken, other = ("plain HTTP", "wss://") if target.tls is None else ("TLS", "ws://")
        raise TargetError(f"{where} does not speak {spoken}: say {other}{target.authority}{target.path}")


def _answers(connection: socket.socket, target: Target) -> bool:
    """Whether an answer to HTTP comes, encrypted or not, as the scheme says. One that is slow is taken for one that does."""
    request = f"GET {target.path} HTTP/1.1\r\nHost: {target.authority}\r\nConnection: close\r\n\r\n"
    try:
        if target.tls is not None:
            anybody = ssl.create_default_context()
            anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
            with anybody.wrap_socket(connection, server_hostname=target.tls.name):
                return True
        connection.sendall(request.encode())
        return connection.recv(5).startswith(b"HTTP")
    except TimeoutError:
        return True
    except OSError:  # reset, or what is no TLS (ssl.SSLError)
        return False


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
