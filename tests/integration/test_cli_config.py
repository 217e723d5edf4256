"""The commands about settings, as a user runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def palaver(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PALAVER_")}
    return subprocess.run(
        [sys.executable, "-m", "palaver.cli", *arguments],
        env={**kept, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_wrong_file_is_named_with_the_line_and_ends_with_2(tmp_path: Path) -> None:
    config = tmp_path / "palaver.toml"
    config.write_text("# one\n[gateway]\nport = 1\nprot = 2\n")
    done = palaver("check-config", str(config))
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == f"{config}:4: unknown key gateway.prot; did you mean port?\n"
    done = palaver("check-config", "--json", str(config))
    assert done.returncode == 2
    assert json.loads(done.stdout)["problems"] == [
        {"where": str(config), "line": 4, "message": "unknown key gateway.prot; did you mean port?"}
    ]


def test_the_default_config_passes_its_own_check(tmp_path: Path) -> None:
    config = tmp_path / "palaver.toml"
    config.write_text(palaver("default-config").stdout)
    done = palaver("check-config", str(config))
    assert (done.returncode, done.stdout) == (0, f"{config}: ok\n")
    assert "auth.keys is empty" in done.stderr


def test_the_environment_counts_only_where_it_is_asked_for(tmp_path: Path) -> None:
    config = tmp_path / "palaver.toml"
    config.write_text("")
    assert palaver("check-config", str(config), PALAVER_HTTP__PORT="x").returncode == 0
    assert palaver("check-config", "--env", str(config), PALAVER_HTTP__PORT="x").returncode == 2


@pytest.mark.parametrize("command", ["config-doc", "env-doc", "default-config", "version"])
def test_a_document_is_printed_as_text_and_as_json(command: str) -> None:
    assert palaver(command).stdout.strip()
    assert json.loads(palaver(command, "--json").stdout)


def test_a_reader_that_goes_away_is_no_error() -> None:
    process = subprocess.run(
        f"'{sys.executable}' -m palaver.cli config-doc | head -1",
        shell=True,
        capture_output=True,
        check=False,
    )
    assert process.stderr == b""


@pytest.mark.parametrize(
    "arguments",
    [["serve", "--nonsense"], ["nonsense"], ["token"], ["serve", "--port", "x"], ["check-config"]],
)
def test_a_wrong_command_line_ends_with_2(arguments: list[str]) -> None:
    done = palaver(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""


def test_help_needs_nothing_heavy() -> None:
    code = (
        "import sys; from palaver.cli.app import build; build();"
        "print([name for name in ('rich', 'msgspec', 'uvloop', 'aiortc', 'aiohttp', 'jwt', 'structlog')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
