"""What must hold between the settings of the cluster, and inside their strings."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Final

from palaver.settings.broken import Broken
from palaver.settings.cluster import ClusterSettings

_KEY = re.compile(r"[0-9a-fA-F]{64}\Z")
_NAME = re.compile(r"[!-~]{1,64}\Z")
NAME_RULE: Final = "1 to 64 ASCII characters without blanks"
_SEED = re.compile(r"file:.+|(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]/]+)(:[0-9]{1,5})?\Z")


def is_cluster_name(text: str) -> bool:
    """Whether a cluster may be called so: NAME_RULE."""
    return _NAME.match(text) is not None


def broken_cluster_rules(cluster: ClusterSettings) -> Iterator[Broken]:
    """Every rule that does not hold."""
    if not is_cluster_name(cluster.name):
        yield Broken(("cluster.name",), f"cluster.name must be {NAME_RULE}, not {cluster.name!r}")
    for index, seed in enumerate(cluster.seeds):
        if not _SEED.match(seed):
            message = f"cluster.seeds must be host:port, [IPv6]:port or file:PATH, not {seed!r}"
            yield Broken((f"cluster.seeds.{index}", "cluster.seeds"), message)
    for name in ("keys", "authorities"):
        for index, key in enumerate(getattr(cluster, name)):
            if not _KEY.match(key):
                message = f"cluster.{name} must be public keys of 64 hex digits, not {key!r}"
                yield Broken((f"cluster.{name}.{index}", f"cluster.{name}"), message)
    if cluster.silence_leave_seconds <= cluster.silence_seconds:
        message = (
            f"cluster.silence_seconds ({cluster.silence_seconds}) must be below "
            f"cluster.silence_leave_seconds ({cluster.silence_leave_seconds})"
        )
        yield Broken(("cluster.silence_seconds", "cluster.silence_leave_seconds"), message)
    yield from _addresses(cluster)
    if cluster.admission == "keys" and not cluster.keys:
        yield Broken(
            ("cluster.admission",), "cluster.admission by keys needs cluster.keys: nobody could join"
        )


def _addresses(cluster: ClusterSettings) -> Iterator[Broken]:
    try:
        host = ipaddress.ip_address(cluster.host)
    except ValueError:
        message = f"cluster.host must be an IP address, not {cluster.host!r}"
        yield Broken(("cluster.host",), message)
        return
    if cluster.advertise and advertised(cluster.advertise) is None:
        message = (
            f"cluster.advertise must be an IP address, with or without a port, not {cluster.advertise!r}"
        )
        yield Broken(("cluster.advertise",), message)
    if not cluster.enabled:
        return
    if host.is_unspecified and not cluster.advertise:
        message = (
            f"cluster.host {cluster.host} is every interface: cluster.advertise must say which one others see"
        )
        yield Broken(("cluster.host",), message)
    open_to_all = cluster.admission == "open" and not cluster.invitation
    if open_to_all and not host.is_loopback:
        message = (
            f"cluster.host {cluster.host} is not loopback, and cluster.admission is open: anybody could join; "
            "use `palaver cluster init` and `palaver cluster invite`, or cluster.keys"
        )
        yield Broken(("cluster.host",), message)


def advertised(text: str) -> tuple[str, int | None] | None:
    """The address and the port, if there is one, of `cluster.advertise`; None where it is no address."""
    match = re.fullmatch(
        r"\[([0-9A-Fa-f:.]+)\](?::([0-9]{1,5}))?|([0-9.]+)(?::([0-9]{1,5}))?|([0-9A-Fa-f:.]+)", text
    )
    if match is None:
        return None
    host, port = match[1] or match[3] or match[5], match[2] or match[4]
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return None
    return host, int(port) if port else None
