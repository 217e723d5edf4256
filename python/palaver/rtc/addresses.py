"""Which local addresses a peer connection gathers candidates on.

Neither aiortc nor aioice lets the caller choose: aioice asks `get_host_addresses` for every address of the
host but loopback. That one function is replaced here, once, by one that first looks at a context variable.
Where the variable is unset (somebody else's peer connection in the same process) aioice behaves as before.
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterator, Sequence
from contextvars import ContextVar

from aioice import ice

_chosen: ContextVar[tuple[str, ...]] = ContextVar("palaver_ice_addresses", default=())
_every_address = ice.get_host_addresses


def _host_addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
    chosen = _chosen.get()
    if not chosen:
        return _every_address(use_ipv4, use_ipv6)
    allowed = {version for version, use in ((4, use_ipv4), (6, use_ipv6)) if use}
    return [address for address in chosen if ipaddress.ip_address(address).version in allowed]


ice.get_host_addresses = _host_addresses


def with_loopback() -> tuple[str, ...]:
    """Every address of this host, loopback first: for talking to a node on the same machine, network or not."""
    return "127.0.0.1", *_every_address(True, True)


@contextlib.contextmanager
def gathering_on(addresses: Sequence[str]) -> Iterator[None]:
    """Candidates gathered inside (and in tasks started inside) are on these IP addresses, loopback among them
    if named.
    """
    token = _chosen.set(tuple(addresses))
    try:
        yield
    finally:
        _chosen.reset(token)
