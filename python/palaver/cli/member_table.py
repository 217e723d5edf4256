"""Members as a table, for `members`, `top` and whoever watches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

COLOURS = {"alive": "green", "unreachable": "red", "dead": "red dim", "left": "dim", "banned": "magenta"}
HEADINGS = ("name", "status", "address", "zone", "load", "sessions", "rtt", "heard", "id")
RIGHT = frozenset({"load", "sessions", "rtt", "heard"})
DROPPED = ("id", "zone", "heard", "address", "sessions", "rtt", "load")
"""What goes, in this order, where a terminal is too narrow for all columns; what stays is shown whole."""
GAP = 2
MARGIN = 4
"""Columns at the right that stay empty: an echoed ^C must not begin a line, which would shift a live table."""


def by_name(members: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """This node first, then by name."""
    return sorted(members, key=lambda one: (not one["self"], one["name"], one["nodeId"]))


def rows(members: Iterable[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """One row of text for each member, in their order."""
    return [_row(one) for one in members]


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


def table(
    members: Iterable[Mapping[str, Any]], width: int, lines: int | None = None, title: str = ""
) -> Table:
    """The same for a terminal of this width. With `lines` it is no longer than that, and the last one says how many more
    members there are.
    """
    from rich.table import Table
    from rich.text import Text

    found = rows(members)
    shown = _fitting(found, width - MARGIN)
    room = len(found) if lines is None else max(1, lines - 1 - bool(title))
    if len(found) > room:
        room = max(1, room - 1)
    more = len(found) - room
    result = Table(
        title=Text(title) if title else None,
        title_justify="left",
        caption=f"and {more} more" if more > 0 else None,
        caption_justify="left",
        box=None,
        pad_edge=False,
        padding=(0, GAP, 0, 0),
    )
    for column in shown:
        heading = HEADINGS[column]
        result.add_column(heading, justify="right" if heading in RIGHT else "left", no_wrap=True)
    for row in found[:room]:
        word = row[1].rstrip("?").split(",")[0]
        colour = "yellow" if row[1].startswith("alive?") else COLOURS.get(word, "")
        # Text and not markup: what other nodes call themselves is shown as it is.
        cells = [Text(row[column], colour if HEADINGS[column] == "status" else "") for column in shown]
        result.add_row(*cells)
    return result


def _fitting(found: list[tuple[str, ...]], width: int) -> list[int]:
    """The indices of the columns that there is room for."""
    from rich.cells import cell_len

    widths = [max(map(cell_len, column)) for column in zip(HEADINGS, *found, strict=True)]
    shown = list(range(len(HEADINGS)))
    for heading in DROPPED:
        if sum(widths[column] + GAP for column in shown) - GAP <= width:
            break
        shown.remove(HEADINGS.index(heading))
    return shown
