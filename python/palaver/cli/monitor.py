from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from palaver.cli.local_node import AdminToken, Url, find_node
from palaver.cli.options import Json, StateDir, Verbose
from palaver.cli.output import say, say_json


def monitor(
    after: Annotated[int, typer.Option(help="Begin after the event of this number.", min=0)] = 0,
    follow: Annotated[bool, typer.Option(help="Go on with what happens, until Ctrl-C.")] = True,
    url: Url = None,
    admin_token: AdminToken = None,
    state_dir: StateDir = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Print what happens in the cluster, as a running node learns it.

    It begins with what the node remembers: the last 1,000 events.

    \b
    Examples:
      palaver monitor
      palaver monitor --no-follow --json
    """
    node = find_node(url, admin_token, state_dir)
    try:
        while True:
            events = node.get("/v1/cluster/events", after=after, limit=1000)["events"]
            for event in events:
                after = event["number"]
                if json:
                    say_json(event)
                else:
                    say(_line(event))
            if not events:
                if not follow:
                    return
                time.sleep(0.5)
    except KeyboardInterrupt:
        return


def _line(event: dict[str, Any]) -> str:
    clock = time.strftime("%H:%M:%S", time.localtime(event["time"]))
    facts = " ".join(f"{name}={value}" for name, value in event["facts"].items() if value is not None)
    return f"{clock}  {event['kind']:<18} {facts}".rstrip()
