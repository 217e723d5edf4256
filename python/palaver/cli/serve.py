from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from palaver.cli.options import (
    Assignments,
    Config,
    GossipPort,
    Host,
    HttpPort,
    Join,
    Json,
    Port,
    StateDir,
    Verbose,
    Workers,
    overrides,
)
from palaver.cli.output import complain, say_json
from palaver.errors import SettingsError

if TYPE_CHECKING:
    from palaver.node import SignalingNode
    from palaver.settings import Settings


def serve(
    config: Config = None,
    host: Host = None,
    port: Port = None,
    http_port: HttpPort = None,
    join: Join = None,
    gossip_port: GossipPort = None,
    state_dir: StateDir = None,
    workers: Workers = None,
    assign: Assignments = None,
    json: Json = False,
    verbose: Verbose = False,
    worker: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run a node with real settings.

    They come from the file, the environment and the flags; the later go before the earlier. Stops on SIGTERM
    or Ctrl-C: the first lets clients go elsewhere, the second ends at once. SIGHUP reads the settings again.
    With --workers it is several nodes on one port; the signals are for all of them.

    \b
    Examples:
      palaver serve --config palaver.toml
      palaver serve -c palaver.toml --port 8443 --set log.level=debug
      palaver serve -c palaver.toml --join 192.0.2.1:7882
      palaver serve -c palaver.toml --workers 4
    """
    from msgspec.structs import replace

    from palaver import settings as sources
    from palaver.cli.running import gossip_of, run, visible
    from palaver.cli.workers import end_with_supervisor, supervise, worker_of
    from palaver.settings import worker_settings

    flags = overrides(
        assign,
        host=host,
        port=port,
        http_port=http_port,
        join=join,
        gossip_port=gossip_port,
        workers=workers,
        verbose=verbose,
    )
    me = worker_of(worker) if worker is not None else None

    def source() -> Settings:
        settings = sources.load(config, environ=os.environ, overrides=flags)
        if not settings.auth.keys and not settings.auth.jwks:
            raise SettingsError(
                f"{config or 'settings'}: auth.keys is empty, so nobody could join: add a key there"
                " or in PALAVER_AUTH__KEYS__<id>, or key sets in auth.jwks; `palaver dev` brings its own"
            )
        directory = sources.state_dir(state_dir, environ=os.environ, settings=settings)
        name = settings.node.name or socket.gethostname()
        settings = replace(settings, node=replace(settings.node, name=name, state_dir=str(directory)))
        return settings if me is None else worker_settings(settings, me)

    settings = source()
    if me is None and settings.gateway.workers > 1:
        told = [sys.executable, "-m", "palaver.cli", *sys.argv[1:], *([] if json else ["--json"])]
        sys.exit(supervise(settings, told, lambda nodes: _banner(nodes, json)))

    def announce(node: SignalingNode) -> None:
        scheme = "wss" if settings.gateway.tls_certificate else "ws"
        gateway = f"{scheme}://{visible(node.gateway_address)}{settings.gateway.path}"
        http = f"http://{visible(node.http_address)}"
        if json:
            own = {}
            if me is not None:
                host, _ = node.gateway_address
                address = visible((host, me.own_ports[me.number - 1]))
                own = {"ownGateway": f"{scheme}://{address}{settings.gateway.path}"}
            say_json({"gateway": gateway, **own, "http": http, **gossip_of(node)})
            if me is not None:
                end_with_supervisor()
        else:
            gossip = f", gossip {node.cluster.address}" if node.cluster is not None else ""
            complain(f"palaver: clients {gateway}, side port {http}{gossip}")

    run(settings, announce, source, me)


def _banner(nodes: list[dict[str, Any]], json: bool) -> None:
    """What is said once, of all workers."""
    gateway = nodes[0]["gateway"]
    if json:
        say_json({"gateway": gateway, "http": nodes[0]["http"], "workers": nodes})
        return
    complain(f"palaver: clients {gateway}, {len(nodes)} workers")
    for node in nodes:
        gossip = f", gossip {node['gossip']}" if "gossip" in node else ""
        where = f"clients of its rooms {node['ownGateway']}, side port {node['http']}{gossip}"
        complain(f"palaver: worker {node['worker']}: process {node['pid']}, {where}")
