"""How the gateway's costs grow: with sessions, rooms, the size of a room, joins at once, and what is not acknowledged."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from palaver.bench.figures import Figures
from palaver.bench.plot import Line, log_axis, plot, zero_axis
from palaver.bench.scenario import parse

SESSIONS = (100, 500, 2000, 5000, 15_000)
ROOMS = (1, 10, 100, 1000, 5000)
SIZES = (2, 10, 50, 200, 1000)
STORMS = (10, 30, 100, 300)
OFFERS = (0, 4, 20, 60, 200)
"""A room's log keeps what its participants have not said to have seen (`limits.log_events`, `log_bytes`)."""
RATE = 4000
"""Messages per second over all rooms: a closed loop of 5,000 rooms would be about its own queue."""

Node = Callable[[ExitStack], Any]


def _cost(figures: Figures) -> float | None:
    return None if figures.server is None else figures.server.cpu_micros_per_message


def _memory(figures: Figures) -> float | None:
    grown = None if figures.server is None else figures.server.memory_per_session
    return None if grown is None else grown / 1024


def _storm_p99(figures: Figures) -> float | None:
    return figures.entering_since_start and figures.entering_since_start.p99


class Curve(NamedTuple):
    what: str
    unit: str
    axis: str
    values: Sequence[int]
    scenario: str
    """With a gap for the value."""
    figure: Callable[[Figures], float | None]
    times: int = 1
    """Nodes started for each point, of which the median counts: what is over in a moment differs."""

    @property
    def name(self) -> str:
        return self.what.split(",")[0]


STORM = '[[stage]]\nkind = "storm"\nsessions = {}\n'
CURVES = (
    Curve(
        "relay among idle sessions",
        "µs a message",
        "sessions",
        SESSIONS,
        '[[stage]]\nkind = "idle"\nsessions = {}\nmessages = 0\n[[stage]]\nkind = "relay"\n',
        _cost,
    ),
    Curve(
        f"relay in many rooms, {RATE} messages a second",
        "µs a message",
        "rooms of two",
        ROOMS,
        '[[stage]]\nkind = "relay"\npairs = {}\nrate = ' + str(RATE) + "\n",
        _cost,
    ),
    Curve(
        "an event to a room",
        "µs a delivery",
        "participants",
        SIZES,
        '[[stage]]\nkind = "fanout"\nroom-size = {}\n',
        _cost,
    ),
    Curve("a storm of joins into one room", "ms until 99 % are in", "joins", STORMS, STORM, _storm_p99, 3),
    Curve("CPU of a storm of joins", "µs a join", "joins", STORMS, STORM, _cost, 3),
    Curve(
        "memory", "KiB a session", "sessions", SESSIONS, '[[stage]]\nkind = "idle"\nsessions = {}\n', _memory
    ),
    Curve(
        "memory after offers that nobody said to have seen",
        "KiB a session",
        "offers a pair",
        OFFERS,
        '[[stage]]\nkind = "idle"\nsessions = 400\nseen = false\nmessages = {}\n',
        _memory,
    ),
)


def growth(node: Node, plots: Path | None) -> str:
    """Measures all curves, each point on a node started afresh; returns tables, and draws into `plots`."""
    text, drawn = "", ""
    for curve in CURVES:
        points = [
            (value, found) for value in curve.values if (found := _point(node, curve, value)) is not None
        ]
        text += (
            f"\n| {curve.what}: {curve.axis} | " + " | ".join(f"{value:,.0f}" for value, _ in points) + " |\n"
        )
        text += "| --- |" + " --- |" * len(points) + "\n"
        text += f"| {curve.unit} | " + " | ".join(f"{found:.1f}" for _, found in points) + " |\n"
        if plots is not None and points:
            drawn += f"![{curve.name}](benchmarks/{_draw(curve, points, plots).name})\n"
    return text + (f"\n{drawn}" if drawn else "")


def _point(node: Node, curve: Curve, value: int) -> float | None:
    head = "connect-seconds = 120\nseconds = 3\nwarm-up = 1\n"
    scenario = parse(head + curve.scenario.format(value), curve.what)
    found = []
    for _ in range(curve.times):
        with ExitStack() as stack:
            figure = curve.figure(node(stack).measure(curve.what, scenario)[0])
        if figure is not None:
            found.append(figure)
    point = median(found) if found else None
    print(f"{curve.what}, {value:,} {curve.axis}: {point} {curve.unit}", file=sys.stderr, flush=True)
    return point


def _draw(curve: Curve, points: list[tuple[int, float]], plots: Path) -> Path:
    values = [value for value, _ in points]
    x = log_axis(curve.axis, values) if min(values) > 0 else zero_axis(curve.axis, values)
    y = zero_axis(curve.unit, [found for _, found in points])
    path = plots / f"growth-{curve.name.replace(' ', '-')}.svg"
    plots.mkdir(exist_ok=True)
    drawn = plot(f"{curve.what}: {curve.unit}", x, y, [Line(curve.what, points)])
    path.write_text(drawn, "utf-8")
    return path
