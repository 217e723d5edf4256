"""The settings of `palaver dev`: a node on loopback that a browser can use at once, with a key of its own."""

from __future__ import annotations

import errno
import secrets
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec.structs import replace

from palaver.errors import StartError
from palaver.settings.cluster import ClusterSettings
from palaver.settings.gateway import GatewaySettings
from palaver.settings.keys import dev_keys, state_dir
from palaver.settings.load import Override, load
from palaver.settings.tree import AuthSettings, HttpSettings, NodeSettings, Settings

ANY = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound
LOOPBACK = "127.0.0.1"


def dev_settings(
    *,
    state: str | Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Iterable[Override] = (),
) -> Settings:
    """Settings for a development node; environment and overrides count as for any node.

    Adds the development key of the state directory, the side port's own origins, and as media addresses
    loopback and the host's own, so that a browser with and without a network finds the node. An http.port
    of 0 is replaced by a free port, because the origins must name it. The admin token is drawn where none
    is set, and default ports give way to those of another node: that of the gossip always, the others where seeds are
    set. Raises SettingsError, StartError.
    """
    environ = environ or {}
    base = Settings(
        node=NodeSettings(name="dev"),
        http=HttpSettings(demo=True),
        auth=AuthSettings(weak_secrets=True),
        cluster=ClusterSettings(enabled=True),
    )
    settings = load(environ=environ, overrides=overrides, base=base, dev=True)
    directory = state_dir(state, environ=environ, settings=settings)
    key_id, secret = dev_keys(directory)
    settings = _beside_others(settings)
    http = settings.http
    if http.port == 0:
        http = replace(http, port=free_port(http.host))
    if not http.admin_token:
        http = replace(http, admin_token=secrets.token_urlsafe(32))
    origins = settings.gateway.origins or page_origins(http.host, http.port)
    addresses = settings.media.addresses or (LOOPBACK, *host_addresses())
    return replace(
        settings,
        node=replace(settings.node, state_dir=str(directory)),
        gateway=replace(settings.gateway, origins=origins),
        auth=replace(settings.auth, keys={**settings.auth.keys, key_id: secret}),
        media=replace(settings.media, addresses=addresses),
        http=http,
    )


def _beside_others(settings: Settings) -> Settings:
    """Default ports that another node on this machine has become free ones: so a second terminal needs one flag."""
    gateway, http, cluster = settings.gateway, settings.http, settings.cluster
    if cluster.enabled and cluster.port and is_taken(cluster.host, cluster.port):
        cluster = replace(cluster, port=0)
    if cluster.seeds:
        if gateway.port == GatewaySettings().port and is_taken(gateway.host, gateway.port):
            gateway = replace(gateway, port=0)
        if http.port == HttpSettings().port and is_taken(http.host, http.port):
            http = replace(http, port=0)
    return replace(settings, gateway=gateway, http=http, cluster=cluster)


def is_taken(host: str, port: int) -> bool:
    """Whether somebody listens there for TCP; any other reason why it cannot be bound is for the binding to say."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        return error.errno == errno.EADDRINUSE
    return False


def page_origins(host: str, port: int) -> tuple[str, ...]:
    """The origins under which a browser may see a page served at this address."""
    names = [LOOPBACK, "localhost"]
    if host in ANY:
        names += host_addresses()
    elif host not in names:
        names.append(host)
    return tuple(f"http://{url_host(name)}:{port}" for name in names)


def url_host(host: str) -> str:
    """The host as it stands in a URL (RFC 3986 § 3.2.2: an IPv6 address in brackets)."""
    return f"[{host}]" if ":" in host else host


def host_addresses() -> tuple[str, ...]:
    """The addresses of this host's interfaces, but loopback and link-local ones."""
    import ipaddress

    import ifaddr  # what aioice itself looks the addresses up with

    found = []
    for adapter in ifaddr.get_adapters():
        for entry in adapter.ips:
            text = entry.ip if isinstance(entry.ip, str) else entry.ip[0]
            address = ipaddress.ip_address(text)
            if not (address.is_loopback or address.is_link_local or address.is_unspecified):
                found.append(text)
    return tuple(dict.fromkeys(found))


def free_port(host: str) -> int:
    """A port that was free a moment ago. Somebody may take it first: good enough for development."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, 0), family=family) as server:
            return int(server.getsockname()[1])
    except OSError as error:
        raise StartError(f"cannot listen on {host}: {error.strerror or error}") from error
