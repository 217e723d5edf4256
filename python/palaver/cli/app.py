"""The table of commands, and what becomes of an error that a command did not expect.

Each command is one file with one function of the same name, or one Typer where it has commands of its own.
Whatever takes time to import is imported inside that function: `palaver --help` needs none of it.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from palaver.cli.options import Verbosity
from palaver.cli.output import FAILED, USAGE, complain
from palaver.errors import PalaverError, SettingsError

COMMANDS: Final = (
    "dev",
    "serve",
    "token",
    "bot",
    "members",
    "top",
    "monitor",
    "rtt",
    "reachability",
    "leave",
    "force-leave",
    "cluster",
    "schema",
    "bench",
    "simulate",
    "check-config",
    "default-config",
    "config-doc",
    "env-doc",
    "version",
)


def build() -> typer.Typer:
    """The app with all its commands."""
    app = typer.Typer(
        name="palaver",
        no_args_is_help=True,
        add_completion=False,
        # Plain help and plain tracebacks: rich costs more time to import than all the rest.
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_palaver)
    for command in present():
        name = command.replace("-", "_")
        module = importlib.import_module(f"palaver.cli.{name}")
        found = getattr(module, name)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=command)
        else:
            app.command(command)(found)
    return app


def _print_version(asked: bool) -> None:
    if asked:
        from palaver.cli.version import version

        version()
        raise typer.Exit


def _palaver(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version, and exit.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    """A distributed WebRTC signaling node. Begin with `palaver dev`; each command has --help with examples."""


def present() -> list[str]:
    """The commands of the table whose file has been written."""
    return [
        command
        for command in COMMANDS
        if importlib.util.find_spec(f"palaver.cli.{command.replace('-', '_')}") is not None
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and exits: 0 done, 1 failed, 2 a wrong command line or wrong settings."""
    try:
        build()(arguments, prog_name="palaver")
    except SettingsError as error:
        _end(error, str(error), USAGE)
    except PalaverError as error:
        _end(error, str(error), FAILED)
    except ImportError as error:
        _end(error, _missing(error), FAILED)


def _missing(error: ImportError) -> str:
    name = error.name or "a module"
    if name.startswith("palaver.core"):
        what = f"cannot be loaded ({error})" if error.path else "is not built for this Python"
        return f"the native core {what}; run `make setup`"
    return f"{name} cannot be imported ({error}); run `make setup`"


def _end(error: Exception, sentence: str, code: int) -> None:
    if Verbosity.tracebacks:
        traceback.print_exception(error)
    complain(f"palaver: {sentence}")
    sys.exit(code)
