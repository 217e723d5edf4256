"""Members on terminals of different sizes: what is shown is shown whole."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from palaver.cli.member_table import MARGIN, by_name, plain, table
from palaver.cli.top import _rates


def member(name: str, **facts: Any) -> dict[str, Any]:
    return {
        "name": name, "nodeId": name.encode().hex().ljust(32, "0"), "status": "alive", "suspected": False, "draining": False,
        "self": False, "address": "127.0.0.1:43307", "region": "local", "zone": "", "load": 5, "sessions": 0,
        "rttMs": 0.2, "heardS": 2.4, **facts,
    }  # fmt: skip


MEMBERS = [member("node-1", self=True), member("node-2", draining=True), member("node-3")]


def shown(width: int, lines: int | None = None, members: list[dict[str, Any]] = MEMBERS) -> list[str]:
    out = io.StringIO()
    Console(width=width, file=out).print(table(members, width, lines))
    return out.getvalue().splitlines()


@pytest.mark.parametrize(
    ("width", "headings"),
    [
        (160, "name status address zone load sessions rtt heard id"),
        (120, "name status address zone load sessions rtt heard"),
        (80, "name status address load sessions rtt"),
        (44, "name status load"),
        (20, "name status"),
    ],
)
def test_a_narrow_terminal_has_fewer_columns_and_none_cut(width: int, headings: str) -> None:
    lines = shown(width)
    assert lines[0].split() == headings.split()
    assert len(lines) == 1 + len(MEMBERS)
    if width > 20:
        assert all(len(line.rstrip()) <= width - MARGIN and "…" not in line for line in lines)
        assert "node-2" in lines[2] and "alive, draining" in lines[2]


@pytest.mark.parametrize("lines", [3, 5, 24])
def test_more_members_than_lines_are_counted(lines: int) -> None:
    rows = shown(80, lines, [member(f"node-{number}") for number in range(24)])
    assert len(rows) == lines
    assert rows[-1].strip() == f"and {24 - (lines - 2)} more"


def test_as_many_members_as_lines_all_fit() -> None:
    assert len(shown(80, 4)) == 4 and "node-3" in shown(80, 4)[-1]


def test_a_name_is_shown_as_it_is() -> None:
    assert "[red]x[/]" in shown(80, None, [member("[red]x[/]")])[1]


def test_rows_keep_their_order_and_by_name_puts_this_node_first() -> None:
    mixed = [member("b"), member("c", self=True), member("a")]
    assert [line.split()[0] for line in plain(mixed).splitlines()] == ["name", "b", "c", "a"]
    assert [each["name"] for each in by_name(mixed)] == ["c", "a", "b"]


def test_rates_begin_with_what_is_always_there() -> None:
    (line,) = _rates({"perSecond": {"zeta": 1.0, "alpha": 2.0, "sent": 3.0, "nothing": 0.0}})
    assert line.startswith(
        "per second: sent 3, received 0, sent bytes 0, received bytes 0, probes 0, alpha 2"
    )
    assert "nothing" not in line
    assert all(
        len(each) <= 60 - MARGIN for each in _rates({"perSecond": dict.fromkeys("abcdefgh", 123456.5)}, 60)
    )
