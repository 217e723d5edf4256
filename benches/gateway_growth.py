"""How the gateway's costs grow: with sessions, rooms and the size of a room."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from palaver.bench.figures import Figures
from palaver.bench.plot import Line, log_axis, plot, zero_axis
from palaver.bench.scenario import parse

SESSIONS = (100, 500, 2000, 5000, 15_000)
ROOMS = (1, 10, 100, 1000, 5000)
SIZES = (2, 10, 50, 200, 1000)
RATE = 4000
"""Messages per second over all rooms: a closed loop of 5,000 rooms would be about its own queue."""

Node = Callable[[ExitStack], Any]


def _cost(figures: Figures) -> float | None:
    return None if figures.server is None else figures.server.cpu_micros_per_message


def _memory(figures: Figures) -> float | None:
    grown = None if figures.server is None else figures.server.memory_per_session
    return None if grown is None else grown / 1024


# what, unit, axis, values, scenario, figure
CURVES: tuple[tuple[str, str, str, Iterable[int], str, Callable[[Figures], float | None]], ...] = (
    (
        "relay among idle sessions",
        "µs a message",
        "sessions",
        SESSIONS,
        '[[stage]]\nkind = "idle"\nsessions = {}\nmessages = 0\n[[stage]]\nkind = "relay"\n',
        _cost,
    ),
    (
        f"relay in many rooms, {RATE} messages a second",
        "µs a message",
        "rooms of two",
        ROOMS,
        '[[stage]]\nkind = "relay"\npairs = {}\nrate = ' + str(RATE) + "\n",
        _cost,
    ),
    (
        "an event to a room",
        "µs a delivery",
        "participants",
        SIZES,
        '[[stage]]\nkind = "fanout"\nroom-size = {}\n',
        _cost,
    ),
    ("memory", "KiB a session", "sessions", SESSIONS, '[[stage]]\nkind = "idle"\nsessions = {}\n', _memory),
)


def growth(node: Node, plots: Path | None) -> str:
    """Measures all curves, each point on a node started afresh; returns tables, and draws into `plots`."""
    text = ""
    for what, unit, axis, values, scenario, figure in CURVES:
        points: list[tuple[float, float]] = []
        for value in values:
            head = "connect-seconds = 120\nseconds = 3\nwarm-up = 1\n"
            with ExitStack() as stack:
                figures = node(stack).measure(what, parse(head + scenario.format(value), what))[0]
            found = figure(figures)
            print(f"{what}, {value:,} {axis}: {found} {unit}", file=sys.stderr, flush=True)
            if found is not None:
                points.append((value, found))
        text += f"\n| {what}: {axis} | " + " | ".join(f"{value:,.0f}" for value, _ in points) + " |\n"
        text += "| --- |" + " --- |" * len(points) + "\n"
        text += f"| {unit} | " + " | ".join(f"{found:.1f}" for _, found in points) + " |\n"
        if plots is not None and points:
            x = log_axis(axis, [value for value, _ in points])
            y = zero_axis(unit, [found for _, found in points])
            name = what.split(",")[0].replace(" ", "-")
            plots.mkdir(exist_ok=True)
            (plots / f"growth-{name}.svg").write_text(
                plot(f"{what}: {unit}", x, y, [Line(what, points)]), "utf-8"
            )
    return text
