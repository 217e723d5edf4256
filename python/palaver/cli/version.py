from __future__ import annotations

from palaver.cli.options import Json
from palaver.cli.output import say, say_json


def version(json: Json = False) -> None:
    """Print the version.

    Example: palaver version --json
    """
    import platform
    from importlib import metadata

    try:
        number = metadata.version("palaver")
    except metadata.PackageNotFoundError:  # run from a checkout that is not installed
        number = "unknown"
    if json:
        say_json({"palaver": number, "python": platform.python_version()})
    else:
        say(f"palaver {number}")
