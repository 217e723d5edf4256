from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from palaver.cli.options import Json
from palaver.cli.output import USAGE, complain, say, say_json


def check_config(
    file: Annotated[Path, typer.Argument(help="The TOML file with the settings.")],
    environment: Annotated[
        bool, typer.Option("--env", help="Lay the PALAVER_… variables over the file, as `serve` does.")
    ] = False,
    json: Json = False,
) -> None:
    """Check a file of settings.

    Names the line and the rule of everything that keeps `palaver serve` from using it.

    Example: palaver check-config palaver.toml
    """
    from palaver.settings import read

    settings, problems = read(file, environ=os.environ if environment else {})
    warnings = []
    if settings is not None and not (settings.auth.keys or settings.auth.jwks):
        warnings.append("auth.keys is empty: nobody could join")
    if json:
        say_json(
            {
                "ok": settings is not None,
                "file": str(file),
                "problems": [
                    {"where": problem.where, "line": problem.line, "message": problem.message}
                    for problem in problems
                ],
                "warnings": warnings,
            }
        )
    else:
        for text in (*map(str, problems), *(f"{file}: warning: {warning}" for warning in warnings)):
            complain(text)
        if settings is not None:
            say(f"{file}: ok")
    if settings is None:
        raise typer.Exit(USAGE)
