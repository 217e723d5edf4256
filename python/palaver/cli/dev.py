from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from palaver.cli.options import (
    Assignments,
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
from palaver.cli.output import say, say_json
from palaver.errors import SettingsError

if TYPE_CHECKING:
    from palaver.node import SignalingNode
    from palaver.protocol.types import Role
    from palaver.settings import Settings

PARTICIPANTS: Final[tuple[tuple[str, Role], ...]] = (("alice", "owner"), ("bob", "participant"))
"""Who gets a join link: two are a call."""


def dev(
    host: Host = None,
    port: Port = None,
    http_port: HttpPort = None,
    join: Join = None,
    gossip_port: GossipPort = None,
    room: Annotated[str, typer.Option(help="The room of the join links.")] = "demo",
    state_dir: StateDir = None,
    assign: Assignments = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Run a node for development.

    It is on loopback, with a key of its own, a demo page and embedded media. Prints where it listens and a
    link for each of two participants: open both and they are in a call.
    Stops on Ctrl-C.
    It is a cluster of one, too: a second terminal joins it with --join, on free ports and with state of its own.

    \b
    Examples:
      palaver dev
      palaver dev --join 127.0.0.1:7882
      palaver dev --port 0 --http-port 0 --room lab --json
    """
    from msgspec.structs import replace

    from palaver.cli.names import protocol_name
    from palaver.cli.running import gossip_of, run
    from palaver.cli.slots import claim, named
    from palaver.settings import dev_settings

    room = protocol_name("--room", room)
    flags = overrides(
        assign,
        host=host,
        port=port,
        http_port=http_port,
        join=join,
        gossip_port=gossip_port,
        verbose=verbose,
    )
    settings = dev_settings(state=state_dir, environ=os.environ, overrides=flags)
    if settings.gateway.workers > 1:
        raise SettingsError("gateway.workers is for `palaver serve`; `palaver dev` is one process")
    slot = claim(Path(settings.node.state_dir))
    settings = replace(settings, node=named(settings.node, slot))

    def announce(node: SignalingNode) -> None:
        welcome = welcome_of(settings, room, node.gateway_address, node.http_address) | gossip_of(node)
        if json:
            say_json(welcome)
        elif sys.stdout.isatty():
            _panel(welcome)
        else:
            say(plain(welcome, typed()))

    run(settings, announce)


def welcome_of(
    settings: Settings, room: str, gateway: tuple[str, int], http: tuple[str, int]
) -> dict[str, Any]:
    """What a developer needs to know of the node, as --json prints it."""
    import time
    from urllib.parse import quote

    from palaver.cli.running import visible
    from palaver.settings import DEV_KEY_ID
    from palaver.signaling.tokens import mint

    page = f"http://{visible(http)}"
    participants = []
    for identity, role in PARTICIPANTS:
        token = mint(
            DEV_KEY_ID,
            settings.auth.keys[DEV_KEY_ID],
            identity=identity,
            room=room,
            role=role,
            ttl_seconds=settings.auth.max_ttl_seconds,
            audience=settings.auth.audience or None,
            now=time.time(),
        )
        link = f"{page}/#token={token}&room={quote(room, safe='')}"
        participants.append({"identity": identity, "role": role, "token": token, "link": link})
    scheme = "wss" if settings.gateway.tls_certificate else "ws"
    return {
        "gateway": f"{scheme}://{visible(gateway)}{settings.gateway.path}",
        "http": page,
        "room": room,
        "stateDir": settings.node.state_dir,
        "hours": settings.auth.max_ttl_seconds / 3600,
        "participants": participants,
    }


def plain(welcome: dict[str, Any], command: str = "palaver") -> str:
    """The welcome as lines of text; `command` is what the reader has to type for us."""
    lines = [
        f"gateway    {welcome['gateway']}",
        f"side port  {welcome['http']}  (/livez, /readyz, /metrics)",
        f"state      {welcome['stateDir']}",
        f"room       {welcome['room']}",
    ]
    if "gossip" in welcome:
        lines += [f"to join    {command} dev --join {welcome['gossip']}"]
    lines += [
        "",
        f"Open both links; they are good for {welcome['hours']:g} hours:",
    ]
    lines += [f"{one['identity']} ({one['role']}): {one['link']}" for one in welcome["participants"]]
    return "\n".join(lines)


def typed() -> str:
    """How this command can be run again: by its name if the shell finds one, else as it was run now."""
    run = sys.argv[0]
    return run if Path(run).name == "palaver" and shutil.which("palaver") is None else "palaver"


def _panel(welcome: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.panel import Panel
    from rich.text import Text

    facts, _, links = plain(welcome, typed()).partition("\n\n")
    console = Console(highlight=False)
    console.print(Panel(Text(facts), title="palaver dev", title_align="left", expand=False))
    # Outside of the panel and never folded: a link with a border through it cannot be clicked or copied.
    console.print(Text(links), soft_wrap=True)
    console.print(Text("Ctrl-C stops the node.", style="dim"))
