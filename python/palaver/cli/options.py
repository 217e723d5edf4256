"""The options that several commands share, so that they are named and explained alike."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from palaver.settings import Override


class Verbosity:
    """What --verbose has set; the last resort in palaver.cli.app looks here."""

    tracebacks = False


def _remember(value: bool) -> bool:
    Verbosity.tracebacks = Verbosity.tracebacks or value
    return value


Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose", "-v", help="Show tracebacks; of a node, log at debug level.", callback=_remember
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one line of JSON instead of text.")]
StateDir = Annotated[
    Path | None,
    typer.Option(
        help="Where keys and durable state are kept; goes before $PALAVER_STATE_DIR and node.state_dir.",
        file_okay=False,
    ),
]
Config = Annotated[Path | None, typer.Option("--config", "-c", help="The TOML file with the settings.")]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="GROUP.NAME=VALUE", help="Any setting, as in `config-doc`. Repeatable."),
]
Host = Annotated[
    str | None,
    typer.Option(help="Address to listen on, for clients and the side port (127.0.0.1); 0.0.0.0 is all."),
]
Port = Annotated[int | None, typer.Option(help="Port of the WebSocket gateway (7880); 0 picks a free one.")]
Join = Annotated[
    list[str] | None,
    typer.Option(
        "--join",
        metavar="HOST:PORT",
        help="Take part in a cluster, and greet this node of it at first. Repeatable.",
    ),
]
GossipPort = Annotated[
    int | None,
    typer.Option(help="Port for other nodes of the cluster, UDP and TCP (7882); 0 picks a free one."),
]
Workers = Annotated[
    int | None,
    typer.Option(
        help="Processes that serve on the one port, each with its own rooms: one for each core to spare."
    ),
]
HttpPort = Annotated[
    int | None, typer.Option(help="Port for health, metrics and the admin API (7881); 0 picks a free one.")
]


def overrides(
    assignments: Iterable[str] | None = None,
    *,
    host: str | None = None,
    port: int | None = None,
    http_port: int | None = None,
    join: Iterable[str] | None = None,
    gossip_port: int | None = None,
    workers: int | None = None,
    verbose: bool = False,
) -> list[Override]:
    """The flags as overrides of settings. A flag with a name of its own goes before --set."""
    from palaver.settings import Override

    result = []
    for assignment in assignments or ():
        path, found, value = assignment.partition("=")
        if not found:
            raise typer.BadParameter(f"{assignment!r} is not GROUP.NAME=VALUE", param_hint="--set")
        result.append(Override("--set", path.strip(), value))
    named: tuple[tuple[str, str, object], ...] = (
        ("--host", "gateway.host", host),
        ("--host", "http.host", host),
        ("--port", "gateway.port", port),
        ("--http-port", "http.port", http_port),
        ("--gossip-port", "cluster.port", gossip_port),
        ("--workers", "gateway.workers", workers),
        ("--join", "cluster.enabled", True if join else None),
        ("--join", "cluster.seeds", list(join) if join else None),
        ("--verbose", "log.level", "debug" if verbose else None),
    )
    result += [Override(flag, path, value) for flag, path, value in named if value is not None]
    return result
