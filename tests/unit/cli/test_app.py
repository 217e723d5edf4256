"""Every command explains itself, and every error that palaver raises on purpose ends in one sentence."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import typer
from typer.testing import CliRunner

from palaver.cli import app as cli
from palaver.cli.duration import seconds
from palaver.cli.options import Verbosity, overrides
from palaver.errors import PalaverError, SettingsError, StartError
from palaver.version import VERSION


@pytest.mark.parametrize("command", cli.present())
def test_every_command_has_help_with_an_example(command: str) -> None:
    shown = CliRunner().invoke(cli.build(), [command, "--help"], prog_name="palaver")
    assert shown.exit_code == 0
    assert f"palaver {command}" in shown.output.split("Usage:")[1].split("\n", 1)[1]


def test_the_version_is_an_option_too() -> None:
    asked = [CliRunner().invoke(cli.build(), [word]) for word in ("--version", "version")]
    assert asked[0].output == asked[1].output == f"palaver {VERSION}\n"
    assert [each.exit_code for each in asked] == [0, 0]


def failing(error: Exception) -> Callable[[], typer.Typer]:
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.command()
    def fail() -> None:
        raise error

    return lambda: app


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (SettingsError("palaver.toml:1: no"), 2, "palaver: palaver.toml:1: no\n"),
        (StartError("port 1 is taken"), 1, "palaver: port 1 is taken\n"),
        (
            ImportError("x", name="palaver.core._native"),
            1,
            "palaver: the native core is not built for this Python; run `make setup`\n",
        ),
        (
            ImportError("bad ELF header", name="palaver.core._native", path="/x.so"),
            1,
            "palaver: the native core cannot be loaded (bad ELF header); run `make setup`\n",
        ),
        (
            ModuleNotFoundError("No module named 'uvloop'", name="uvloop"),
            1,
            "palaver: uvloop cannot be imported (No module named 'uvloop'); run `make setup`\n",
        ),
    ],
)
def test_an_error_is_one_sentence_on_stderr(
    error: PalaverError,
    code: int,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(cli, "build", failing(error))
    with pytest.raises(SystemExit) as ended:
        cli.main([])
    assert ended.value.code == code
    assert capsys.readouterr() == ("", sentence)


def test_verbose_shows_where_it_came_from(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "build", failing(StartError("no")))
    monkeypatch.setattr(Verbosity, "tracebacks", True)
    with pytest.raises(SystemExit):
        cli.main([])
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3600", 3600),
        ("90s", 90),
        ("15m", 900),
        ("1h", 3600),
        ("1d2h3m4s", 93784),
        ("0.5", 0.5),
        ("1m2.5s", 62.5),
    ],
)
def test_a_span_of_time_is_read(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "h", "-1", ".5", "1.", "1.5h", "1h1h", "1m1h", "1w", "1 h", "9" * 10])
def test_what_is_no_span_of_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a span of time"):
        seconds(text)


def test_a_flag_goes_before_set() -> None:
    given = overrides(["gateway.port=1", "log.level=error"], host="::1", port=2, verbose=True)
    assert [(path, value) for _, path, value in given] == [
        ("gateway.port", "1"),
        ("log.level", "error"),
        ("gateway.host", "::1"),
        ("http.host", "::1"),
        ("gateway.port", 2),
        ("log.level", "debug"),
    ]
    with pytest.raises(typer.BadParameter):
        overrides(["gateway.port"])
