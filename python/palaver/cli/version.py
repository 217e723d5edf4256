from __future__ import annotations

from palaver.cli.options import Json
from palaver.cli.output import say, say_json


def version(json: Json = False) -> None:
    """Print the version.

    Example: palaver version --json
    """
    import platform

    from palaver.version import VERSION

    if json:
        say_json({"palaver": VERSION, "python": platform.python_version()})
    else:
        say(f"palaver {VERSION}")
