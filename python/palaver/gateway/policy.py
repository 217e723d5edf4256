"""Whom the gateway lets in: origins and the word of proxies. Pure; built once from the settings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from palaver.errors import SettingsError

_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://([^/\\?#@\s:]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?")
_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def normal_origin(origin: str) -> str | None:
    """Returns scheme://host:port (RFC 6454) in lower case, with the default port spelt out; None if it is none."""
    match = _ORIGIN.fullmatch(origin.lower())
    if match is None:
        return None
    scheme, host, port = match.groups()
    number = int(port) if port else _DEFAULT_PORTS.get(scheme)
    return f"{scheme}://{host}" if number is None else f"{scheme}://{host}:{number}"


@lru_cache(maxsize=4096)
def normal_address(address: str) -> str | None:
    """Returns an IP address in its one spelling, a mapped IPv4 address as IPv4; None if it is none."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)


class HandshakePolicy:
    """What the settings say about a request, in a form that is quick to ask.

    Raises SettingsError for an origin or a network that cannot be read.
    """

    def __init__(
        self,
        path: str,
        origins: Iterable[str] = (),
        trusted_proxies: Iterable[str] = (),
        token_in_query: bool = False,
    ) -> None:
        self.path = path
        self.token_in_query = token_in_query
        self._any_origin = False
        self._origins: set[str] = set()
        for origin in origins:
            if origin == "*":
                self._any_origin = True
            elif origin == "null":
                self._origins.add(origin)
            elif (normal := normal_origin(origin)) is not None:
                self._origins.add(normal)
            else:
                raise SettingsError(f"gateway.origins: {origin!r} is not scheme://host[:port]")
        self._proxies: list[IPv4Network | IPv6Network] = []
        for proxy in trusted_proxies:
            try:
                self._proxies.append(ip_network(proxy, strict=False))
            except ValueError:
                raise SettingsError(f"gateway.trusted_proxies: {proxy!r} is no address or network") from None

    def origin_allowed(self, origins: Sequence[str]) -> bool:
        """Judges the Origin headers: none is no browser, two are a trick, one must be on the list."""
        if not origins:
            return True
        if len(origins) > 1:
            return False
        if self._any_origin:
            return True
        origin = origins[0]
        return (origin if origin == "null" else normal_origin(origin)) in self._origins

    def is_proxy(self, address: str) -> bool:
        if not self._proxies or not address:
            return False
        parsed = ip_address(address)
        return any(parsed in network for network in self._proxies)

    def client_address(self, peer: str, forwarded_for: Sequence[str]) -> str:
        """Walks X-Forwarded-For from its end, which the nearest proxy wrote, while the proxies are trusted."""
        client = peer
        hops = list(forwarded_for)
        while hops and self.is_proxy(client):
            hop = normal_address(hops.pop())
            if hop is None:
                break
            client = hop
        return client
