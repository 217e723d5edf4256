"""`palaver simulate` as people call it."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

from typer.testing import CliRunner, Result

from palaver.cli.app import build

MISSED = """
title = "nobody hears"
nodes = 5
seconds = 3
[[bars]]
measure = "rumour_99"
of = "median"
at_most = 1
"""


def called(*arguments: str) -> Result:
    return CliRunner().invoke(build(), ["simulate", *arguments])


def test_a_table_and_a_plot(tmp_path: Path) -> None:
    plot = tmp_path / "out.svg"
    result = called("crash-100", "--nodes", "20", "--seed", "2", "--plot", str(plot))
    assert result.exit_code == 0, result.output
    assert "20 nodes, seed 2" in result.output
    assert "unreachable_99" in result.output
    root = ElementTree.fromstring(plot.read_text("utf-8"))  # our own file
    assert len(root.findall("{*}svg")) == 2
    assert root.findall(".//{*}polyline")


def test_json_is_the_figures() -> None:
    result = called("crash-100", "--nodes", "20", "--json")
    figures = json.loads(result.stdout)
    assert (figures["nodes"], figures["seed"], figures["rules"]) == (20, 1, "palaver")


def test_a_bar_that_is_missed_is_a_failure(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(MISSED)
    result = called(str(file))
    assert result.exit_code == 1
    assert "NO" in result.output


def test_the_scenarios_are_listed_and_wrong_ones_refused() -> None:
    assert "partition" in called("list").output
    for arguments in (
        ("crush",),
        ("missing.toml",),
        ("crash-100", "--rules", "raft"),
        ("crash-100", "--nodes", "1"),
        ("crash-100", "--nodes", "-5"),
        ("crash-100", "--nodes", str(2**64)),
        ("crash-100", "--seed", "-1"),
        ("crash-100", "--seed", str(2**64)),
        ("crash-100", "--plot", "/missing/x.svg"),
    ):
        result = called(*arguments)
        assert result.exit_code == 2, arguments
        assert isinstance(result.exception, SystemExit), arguments
