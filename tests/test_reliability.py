"""docs/reliability.md names a test for each line: all of them exist, and none is said to be by mistake."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "reliability.md"
GROUPS = {"Handshake", "Frames", "Messages", "Tokens", "Gossip", "Process and disk"}


def rows() -> list[tuple[str, str, str, str]]:
    """(group, what, expected, test) of each line."""
    group, found = "", []
    for line in PAGE.read_text().splitlines():
        if line.startswith("## "):
            group = line[3:]
        elif line.startswith("| ") and not line.startswith("| what "):
            what, expected, test = (cell.strip() for cell in line.strip("|").split(" | "))
            found.append((group, what, expected, test.strip("`")))
    return found


@cache
def names_in(path: Path) -> frozenset[str]:
    """The names of the tests in a file of Python or Rust."""
    text = path.read_text()
    if path.suffix == ".rs":
        return frozenset(re.findall(r"#\[test\]\s+fn (\w+)", text))
    functions = (
        each for each in ast.parse(text).body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return frozenset(each.name for each in functions if each.name.startswith("test_"))


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row[0]}: {row[1]}"[:80])
def test_each_line_names_a_test_that_exists(row: tuple[str, str, str, str]) -> None:
    _, what, expected, named = row
    assert what and expected
    file, _, test = named.partition("::")
    path = (TESTS.parent if file.startswith("rust/") else TESTS) / file
    assert path.is_file(), file
    if test:
        assert test in names_in(path), f"{file} has no test {test}"
    else:
        assert not path.name.startswith("test_"), f"{named} names no test"


def test_every_group_has_its_lines() -> None:
    assert {group for group, *_ in rows()} == GROUPS
    assert all(sum(row[0] == group for row in rows()) >= 10 for group in GROUPS)


def test_a_test_that_is_gone_is_noticed() -> None:
    with pytest.raises(AssertionError, match="has no test test_nothing"):
        test_each_line_names_a_test_that_exists(("Frames", "x", "y", "test_reliability.py::test_nothing"))
    with pytest.raises(AssertionError, match=r"test_gone\.py"):
        test_each_line_names_a_test_that_exists(("Frames", "x", "y", "unit/test_gone.py::test_x"))
