from __future__ import annotations

import typer

from palaver.cli.local_node import AdminToken, Url, find_node
from palaver.cli.options import Json, StateDir, Verbose
from palaver.cli.output import FAILED, say, say_json


def reachability(
    url: Url = None,
    admin_token: AdminToken = None,
    state_dir: StateDir = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Tell who can be reached from a running node, and what that means.

    Ends with 1 where somebody is out of reach, or the node is alone though it has seeds.

    Example: palaver reachability
    """
    node = find_node(url, admin_token, state_dir)
    found = node.get("/v1/cluster/reachability")
    if json:
        say_json(found)
    else:
        names = {one["nodeId"]: one["name"] for one in node.members()}
        for finding in found["findings"]:
            say(finding)
        for kind in ("suspected", "unreachable", "dead"):
            for member in found[kind]:
                say(f"  {kind:<12} {names.get(member) or '-'}  {member}")
    alone = found["members"] == 1 and found["seeds"] in ("asking", "silent")
    if found["unreachable"] or found["suspected"] or found["partitionSuspected"] or alone:
        raise typer.Exit(FAILED)
