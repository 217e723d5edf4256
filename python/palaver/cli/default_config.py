from __future__ import annotations

from palaver.cli.options import Json
from palaver.cli.output import say, say_json


def default_config(json: Json = False) -> None:
    """Print a commented palaver.toml.

    It holds every setting at its default.

    Example: palaver default-config > palaver.toml
    """
    if json:
        import msgspec

        from palaver.settings import Settings

        say_json(msgspec.to_builtins(Settings()))
    else:
        from palaver.settings.documents import default_config

        say(default_config())
