from __future__ import annotations

from typing import Annotated

import typer

from palaver.cli.output import say, say_json


def schema(
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the tables of docs/protocol.md instead.")
    ] = False,
) -> None:
    """Print the client protocol as an OpenRPC document (JSON).

    \b
    Example: palaver schema > palaver.openrpc.json
    """
    from palaver.protocol.schema import openrpc
    from palaver.protocol.tables import tables
    from palaver.version import VERSION

    if markdown:
        say(tables())
    else:
        say_json(openrpc(VERSION))
