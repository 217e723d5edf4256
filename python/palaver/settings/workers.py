"""Workers: several node processes behind one port, and what each of them makes of the settings that all share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta, Struct
from msgspec.structs import replace

from palaver.settings.broken import Broken
from palaver.settings.tree import Settings

STRIDE: Final = 10
"""How far the ports of one worker are from those of the next."""
MAX_PORT: Final = 65_535


class Worker(Struct, frozen=True):
    """One of the processes. Workers are numbered from 1."""

    number: Annotated[int, Meta(ge=1)]
    port: int
    """The gateway's port, which all share."""
    own_ports: tuple[int, ...]
    """The port that each worker alone listens at, in order: a client whose room is there is sent to it."""
    side_ports: tuple[int, ...]
    """The side port of each, in order."""


def broken_worker_rules(settings: Settings) -> Iterator[Broken]:
    """Every rule that does not hold. There are some only where there are several workers."""
    workers, url = settings.gateway.workers, settings.gateway.worker_url
    if url and not (url.startswith(("ws://", "wss://")) and ("{worker}" in url or "{port}" in url)):
        message = (
            f"gateway.worker_url must be a ws:// or wss:// URL with {{worker}} or {{port}} in it, not {url!r}"
        )
        yield Broken(("gateway.worker_url",), message)
    if workers == 1:
        return
    if settings.cluster.invitation:
        message = (
            "cluster.invitation lets in one node, and each of gateway.workers is a node: admit them by cluster.keys "
            "(`palaver cluster id --state-dir …/node-1`, node-2, …)"
        )
        yield Broken(("cluster.invitation", "gateway.workers"), message)
    ports = [("gateway.port", settings.gateway.port, workers), ("http.port", settings.http.port, workers - 1)]
    if settings.cluster.enabled:
        ports.append(("cluster.port", settings.cluster.port, workers - 1))
    for path, port, steps in ports:
        if port and port + STRIDE * steps > MAX_PORT:
            message = f"{path} ({port}) leaves no room for {workers} workers, whose ports are {STRIDE} apart"
            yield Broken((path, "gateway.workers"), message)


def rulings_file(settings: Settings, worker: Worker | None = None) -> Path:
    """Where a node keeps its bans and revocations: in its own state directory, or for all its workers in the one above."""
    directory = Path(settings.node.state_dir)
    return (directory if worker is None else directory.parent) / "rulings.sqlite"


def own_port(settings: Settings, number: int) -> int:
    """The port at which a worker alone is to listen; 0: any that is free."""
    return settings.gateway.port and settings.gateway.port + STRIDE * number


def side_port(settings: Settings, number: int) -> int:
    """The port at which a worker's side port is to listen; 0: any that is free."""
    return settings.http.port and settings.http.port + STRIDE * (number - 1)


def worker_settings(settings: Settings, worker: Worker) -> Settings:
    """What one worker runs with: a node of its own, with its own name, state, side port and gossip port.

    The gossip port of the first is as set, each next one's is STRIDE higher; 0 stays 0. In a cluster the others greet
    the first one too.
    """
    step = STRIDE * (worker.number - 1)
    http, cluster, node = settings.http, settings.cluster, settings.node
    first = f"[{cluster.host}]:{cluster.port}" if ":" in cluster.host else f"{cluster.host}:{cluster.port}"
    seeds = (first,) if step and cluster.port else ()
    return replace(
        settings,
        gateway=replace(settings.gateway, port=worker.port),
        http=replace(http, port=worker.side_ports[worker.number - 1]),
        cluster=replace(
            cluster,
            port=cluster.port and cluster.port + step,
            seeds=tuple(dict.fromkeys((*cluster.seeds, *seeds))) if cluster.enabled else cluster.seeds,
        ),
        node=replace(
            node,
            name=f"{node.name}-{worker.number}",
            state_dir=node.state_dir and f"{node.state_dir}/node-{worker.number}",
        ),
    )
