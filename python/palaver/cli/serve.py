from __future__ import annotations

import os
from typing import TYPE_CHECKING

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
    assign: Assignments = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Run a node with real settings.

    They come from the file, the environment and the flags; the later go before the earlier. Stops on SIGTERM
    or Ctrl-C: the first lets clients go elsewhere, the second ends at once. SIGHUP reads the settings again.

    \b
    Examples:
      palaver serve --config palaver.toml
      palaver serve -c palaver.toml --port 8443 --set log.level=debug
      palaver serve -c palaver.toml --join 192.0.2.1:7882
    """
    from msgspec.structs import replace

    from palaver import settings as sources
    from palaver.cli.running import gossip_of, run, visible

    flags = overrides(
        assign,
        host=host,
        port=port,
        http_port=http_port,
        join=join,
        gossip_port=gossip_port,
        verbose=verbose,
    )

    def source() -> Settings:
        settings = sources.load(config, environ=os.environ, overrides=flags)
        if not settings.auth.keys and not settings.auth.jwks:
            raise SettingsError(
                f"{config or 'settings'}: auth.keys is empty, so nobody could join: add a key there"
                " or in PALAVER_AUTH__KEYS__<id>, or key sets in auth.jwks; `palaver dev` brings its own"
            )
        directory = sources.state_dir(state_dir, environ=os.environ, settings=settings)
        return replace(settings, node=replace(settings.node, state_dir=str(directory)))

    settings = source()

    def announce(node: SignalingNode) -> None:
        scheme = "wss" if settings.gateway.tls_certificate else "ws"
        gateway = f"{scheme}://{visible(node.gateway_address)}{settings.gateway.path}"
        http = f"http://{visible(node.http_address)}"
        if json:
            say_json({"gateway": gateway, "http": http, **gossip_of(node)})
        else:
            gossip = f", gossip {node.cluster.address}" if node.cluster is not None else ""
            complain(f"palaver: clients {gateway}, side port {http}{gossip}")

    run(settings, announce, source)
