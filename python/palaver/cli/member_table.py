"""Members as a table, for `members`, `top` and whoever watches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

COLOURS = {"alive": "green", "unreachable": "red", "dead": "red dim", "left": "dim", "banned": "magenta"}
HEADINGS = ("name", "status", "address", "zone", "load", "sessions", "rtt", "heard", "id")


def rows(members: Iterable[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """One row of text for each member, this node first, then by name."""
    ordered = sorted(members, key=lambda one: (not one["self"], one["name"], one["nodeId"]))
    return [_row(one) for one in ordered]


def _row(one: Mapping[str, Any]) -> tuple[str, ...]:
    status = one["status"]
    if one["status"] == "alive" and one["suspected"]:
        status = "alive?"  # this node alone misses its answers
    if one["draining"]:
        status += ", draining"
    heard, rtt = one.get("heardS"), one.get("rttMs")
    return (
        (one["name"] or "-") + (" (this)" if one["self"] else ""),
        status,
        one.get("address") or "-",
        "/".join(filter(None, (one["region"], one["zone"]))) or "-",
        f"{one['load'] / 10:.1f} %",
        str(one["sessions"]),
        "-" if rtt is None else f"{rtt:.1f} ms",
        "-" if heard is None else f"{heard:.1f} s ago",
        one["nodeId"],
    )


def plain(members: Iterable[Mapping[str, Any]]) -> str:
    """Columns of text without colours, for pipes."""
    table = [HEADINGS, *rows(members)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    )


def table(members: Iterable[Mapping[str, Any]], title: str = "") -> Table:
    """The same for a terminal."""
    from rich.table import Table

    result = Table(title=title or None, title_justify="left", pad_edge=False)
    for heading in HEADINGS:
        right = heading in ("load", "sessions", "rtt", "heard")
        result.add_column(heading, justify="right" if right else "left", no_wrap=heading != "id")
    for row in rows(members):
        word = row[1].rstrip("?").split(",")[0]
        colour = "yellow" if row[1].startswith("alive?") else COLOURS.get(word, "")
        result.add_row(row[0], f"[{colour}]{row[1]}[/]" if colour else row[1], *row[2:])
    return result
