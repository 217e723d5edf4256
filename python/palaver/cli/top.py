from __future__ import annotations

import sys
import textwrap
import time
from typing import Annotated, Any

import typer

from palaver.cli.local_node import AdminToken, Url, find_node
from palaver.cli.member_table import MARGIN, plain, table
from palaver.cli.options import Json, StateDir, Verbose
from palaver.cli.output import say, say_json

ALWAYS = ("sent", "received", "sent_bytes", "received_bytes", "probes")
LEVELS = frozenset({"connections"})
"""What the counters have that is no count."""


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

        with Live(auto_refresh=False) as live:
            while True:
                time.sleep(every)
                facts, before, then = _look(node, before, then)
                width, lines = live.console.size
                rates = _rates(facts, width)
                members = table(facts["members"], width, lines - len(rates) - 2)
                live.update(Group(*map(Text, rates), "", members), refresh=True)
    except KeyboardInterrupt:
        return


def _look(node: Any, before: dict[str, int], then: float) -> tuple[dict[str, Any], dict[str, int], float]:
    counts, now = node.get("/v1/cluster/diagnostics")["counters"], time.monotonic()
    rates = {
        name: round((value - before.get(name, 0)) / (now - then), 2)
        for name, value in counts.items()
        if name not in LEVELS
    }
    members = sorted(node.members(), key=lambda one: -one["load"])
    return {"perSecond": rates, "members": members}, counts, now


def _rates(facts: dict[str, Any], width: int = 10_000) -> list[str]:
    """Lines of at most this width. What is always there comes first, so that nothing jumps while one looks."""
    rates = facts["perSecond"]
    others = sorted(name for name, rate in rates.items() if rate and name not in ALWAYS)
    words = [f"{name.replace('_', ' ')} {rates.get(name, 0):g}" for name in (*ALWAYS, *others)]
    text = "per second: " + ", ".join(words)
    return textwrap.wrap(text, max(20, width - MARGIN), subsequent_indent="  ", break_long_words=False)


def _text(facts: dict[str, Any]) -> str:
    return f"{_rates(facts)[0]}\n{plain(facts['members'])}\n"
