from __future__ import annotations

import sys
import time
from typing import Annotated, Any

import typer

from palaver.cli.local_node import AdminToken, Url, find_node
from palaver.cli.options import Json, StateDir, Verbose
from palaver.cli.output import say, say_json


def top(
    every: Annotated[float, typer.Option(help="Seconds between two looks.", min=0.1)] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Look twice, print once, and end.")] = False,
    url: Url = None,
    admin_token: AdminToken = None,
    state_dir: StateDir = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Show what gossip costs a node, and its members, live.

    Packets and bytes are those of this node's gossip in a second; members are sorted by load.

    \b
    Examples:
      palaver top
      palaver top --once --json
    """
    node = find_node(url, admin_token, state_dir)
    before, then = node.get("/v1/cluster/diagnostics")["counters"], time.monotonic()
    try:
        if json or once or not sys.stdout.isatty():
            while True:
                time.sleep(every)
                facts, before, then = _look(node, before, then)
                if json:
                    say_json(facts)
                else:
                    say(_text(facts))
                if once:
                    return
        from rich.console import Group
        from rich.live import Live
        from rich.text import Text

        from palaver.cli.member_table import table

        with Live(auto_refresh=False) as live:
            while True:
                time.sleep(every)
                facts, before, then = _look(node, before, then)
                live.update(Group(Text(_rates(facts)), table(facts["members"])), refresh=True)
    except KeyboardInterrupt:
        return


def _look(node: Any, before: dict[str, int], then: float) -> tuple[dict[str, Any], dict[str, int], float]:
    counts, now = node.get("/v1/cluster/diagnostics")["counters"], time.monotonic()
    rates = {name: round((value - before.get(name, 0)) / (now - then), 2) for name, value in counts.items()}
    members = sorted(node.members(), key=lambda one: -one["load"])
    return {"perSecond": rates, "members": members}, counts, now


def _rates(facts: dict[str, Any]) -> str:
    return "per second: " + ", ".join(
        f"{name.replace('_', ' ')} {rate:g}" for name, rate in facts["perSecond"].items() if rate
    )


def _text(facts: dict[str, Any]) -> str:
    from palaver.cli.member_table import plain

    return f"{_rates(facts)}\n{plain(facts['members'])}\n"
