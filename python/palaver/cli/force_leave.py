from __future__ import annotations

from typing import Annotated

import typer

from palaver.cli.local_node import AdminToken, Url, find_node, member_path
from palaver.cli.options import Json, StateDir, Verbose
from palaver.cli.output import FAILED, say, say_json


def force_leave(
    member: Annotated[str, typer.Argument(help="Its id or name.")],
    url: Url = None,
    admin_token: AdminToken = None,
    state_dir: StateDir = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Have a member that is unreachable treated as dead now.

    Nothing happens to one that still answers; ban it (`palaver cluster keys revoke`) to be rid of it.

    Example: palaver force-leave node-b
    """
    node = find_node(url, admin_token, state_dir)
    found = node.post(member_path(member, "/force-leave"))
    if json:
        say_json(found)
    else:
        say(f"{member} is {found['status']}")
    if found["status"] == "alive":
        raise typer.Exit(FAILED)
