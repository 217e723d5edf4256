from __future__ import annotations

from palaver.cli.local_node import AdminToken, Url, find_node
from palaver.cli.options import Json, StateDir, Verbose
from palaver.cli.output import say, say_json

SECONDS = 310.0
"""cluster.leave_seconds is at most 300."""


def leave(
    url: Url = None,
    admin_token: AdminToken = None,
    state_dir: StateDir = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Have a running node say goodbye to its cluster.

    It goes on serving its clients, and comes back by a restart. To stop a node, send it SIGTERM: it leaves by itself.

    Example: palaver leave
    """
    node = find_node(url, admin_token, state_dir)
    found = node.post("/v1/cluster/leave", seconds=SECONDS)
    if json:
        say_json(found)
    else:
        say(f"left; members that have heard it: {found['acknowledged']}")
