from __future__ import annotations

from palaver.cli.options import Json
from palaver.cli.output import say, say_json


def env_doc(json: Json = False) -> None:
    """Print the variables of all settings as Markdown.

    Example: palaver env-doc --json
    """
    from palaver.settings import documents

    if json:
        say_json(documents.as_json())
    else:
        say(documents.env_doc())
