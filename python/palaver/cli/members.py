from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from palaver.cli.local_node import AdminToken, LocalNode, Url, find_node
from palaver.cli.member_table import by_name, plain, table
from palaver.cli.options import Json, StateDir, Verbose
from palaver.cli.output import complain, say, say_json


def members(
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Show it anew every second, until Ctrl-C.")
    ] = False,
    every: Annotated[float, typer.Option(help="Seconds between two looks of --watch.", min=0.1)] = 1.0,
    url: Url = None,
    admin_token: AdminToken = None,
    state_dir: StateDir = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Show the members of the cluster, as a running node sees them.

    alive? is a member whose answers this node alone misses.

    \b
    Examples:
      palaver members
      palaver members --watch
      palaver members --json --url http://127.0.0.1:7881
    """
    node = find_node(url, admin_token, state_dir)
    if watch:
        watched(node, every, json=json)
        return
    found = by_name(node.members())
    if json:
        say_json(found)
    elif not found:
        banned = node.get("/v1/cluster")["state"] == "banned"
        complain(
            f"palaver: this node {'is banned from' if banned else 'has left'} its cluster, and sees nobody"
        )
    elif sys.stdout.isatty():
        from rich.console import Console

        console = Console()
        console.print(table(found, console.width))
    else:
        say(plain(found))


def watched(node: LocalNode, every: float, *, json: bool) -> None:
    """Shows members until Ctrl-C: a live table on a terminal, else one view after the other."""
    try:
        if json or not sys.stdout.isatty():
            while True:
                found = by_name(node.members())
                if json:
                    say_json(found)
                else:
                    say(plain(found) + "\n")
                time.sleep(every)
        from rich.live import Live

        with Live(auto_refresh=False) as live:
            while True:
                view, found = node.get("/v1/cluster"), by_name(node.members())
                title = f"{view['cluster']}, as {view['name']} sees it: {view['members']} take part"
                width, lines = live.console.size
                live.update(table(found, width, lines - 1, title), refresh=True)
                time.sleep(every)
    except KeyboardInterrupt:
        return
