from __future__ import annotations

from palaver.cli.options import Json
from palaver.cli.output import say, say_json


def config_doc(json: Json = False) -> None:
    """Print all settings as Markdown.

    Example: palaver config-doc > settings.md
    """
    from palaver.settings import documents

    if json:
        say_json(documents.as_json())
    else:
        say(documents.config_doc())
