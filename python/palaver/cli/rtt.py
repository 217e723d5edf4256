from __future__ import annotations

from typing import Annotated

import typer

from palaver.cli.local_node import AdminToken, Url, find_node, member_path
from palaver.cli.options import Json, StateDir, Verbose
from palaver.cli.output import say, say_json


def rtt(
    member: Annotated[str | None, typer.Argument(help="Its id or name; all without.")] = None,
    url: Url = None,
    admin_token: AdminToken = None,
    state_dir: StateDir = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Show round-trip times from a running node to members.

    They are smoothed over the probes of a member's zone; "-" where nothing of it has been measured yet.

    \b
    Examples:
      palaver rtt
      palaver rtt node-b --json
    """
    node = find_node(url, admin_token, state_dir)
    if member is not None:
        found = [node.get(member_path(member, "/rtt"))]
    else:
        found = [
            {name: one[name] for name in ("nodeId", "name", "rttMs") if name in one}
            for one in node.members()
            if not one["self"]
        ]
    if json:
        say_json(found[0] if member is not None else found)
        return
    for one in found:
        time = one.get("rttMs")
        say(f"{'-' if time is None else f'{time:.3f} ms':>12}  {one['name'] or '-'}  {one['nodeId']}")
