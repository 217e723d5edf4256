"""Plots as SVG, without a library: lines over a logarithmic or linear axis, in colours that also differ in brightness."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

from palaver.bench.figures import Figures

WIDTH, HEIGHT = 760, 400
LEFT, RIGHT, TOP, BOTTOM = 80, 190, 46, 52
COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#999999")
"""Okabe and Ito's colours, which the colour-blind can tell apart."""


class Line(NamedTuple):
    name: str
    points: Sequence[tuple[float, float]]


class Axis(NamedTuple):
    label: str
    ticks: Sequence[float]
    """From the lowest to the highest."""
    place: Callable[[float], float] = lambda value: value
    """Where a value stands; the first and last tick are at the ends."""
    text: Callable[[float], str] = lambda value: f"{value:g}"


def log_axis(label: str, values: Sequence[float]) -> Axis:
    """Decades that hold all values, which are above 0."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    ticks = [10.0**power for power in range(low, max(high, low + 1) + 1)]
    return Axis(label, ticks, math.log10)


def zero_axis(label: str, values: Sequence[float]) -> Axis:
    """Round numbers from 0 that hold all values."""
    top = max([*values, 1e-9])
    step = 10.0 ** math.floor(math.log10(top))
    step = next(step * factor for factor in (0.1, 0.2, 0.25, 0.5, 1, 2) if top / (step * factor) <= 6)
    return Axis(label, [step * index for index in range(math.ceil(top / step - 1e-9) + 1)])


def plot(title: str, x: Axis, y: Axis, lines: Sequence[Line]) -> str:
    """An SVG document."""
    across = _scale(x, LEFT, WIDTH - RIGHT)
    up = _scale(y, HEIGHT - BOTTOM, TOP)
    parts = _head(title, HEIGHT, LEFT)
    for tick in x.ticks:
        at = f"{across(tick):.1f}"
        parts.append(f'<path d="M{at} {TOP}V{HEIGHT - BOTTOM}" stroke="#ddd"/>')
        parts.append(
            f'<text x="{at}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{escape(x.text(tick))}</text>'
        )
    for tick in y.ticks:
        at = f"{up(tick):.1f}"
        parts.append(f'<path d="M{LEFT} {at}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{at}" dy="4" text-anchor="end">{escape(y.text(tick))}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 12}" text-anchor="middle">{escape(x.label)}</text>')
    parts.append(
        f'<text transform="translate(18 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">{escape(y.label)}</text>'
    )
    for index, line in enumerate(lines):
        colour = COLOURS[index % len(COLOURS)]
        spots = [(across(point[0]), up(point[1])) for point in line.points]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in spots)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"/>' for a, b in spots]
        row = TOP + 8 + index * 20
        parts.append(f'<path d="M{WIDTH - RIGHT + 14} {row}h22" stroke="{colour}" stroke-width="3"/>')
        parts.append(f'<text x="{WIDTH - RIGHT + 42}" y="{row}" dy="4">{escape(line.name)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _scale(axis: Axis, begin: float, end: float) -> Callable[[float], float]:
    low, high = axis.place(axis.ticks[0]), axis.place(axis.ticks[-1])
    return lambda value: begin + (axis.place(value) - low) / ((high - low) or 1.0) * (end - begin)


class Bar(NamedTuple):
    name: str
    value: float


def bars(title: str, unit: str, values: Sequence[Bar], ours: str) -> str:
    """An SVG document with a bar for each value; that of `ours` is told apart."""
    row, left = 30, 190
    height = TOP + row * len(values) + 20
    longest = max([bar.value for bar in values] or [0.0]) or 1.0
    parts = _head(title, height, 20)
    for index, bar in enumerate(values):
        y, length = TOP + index * row, bar.value / longest * (WIDTH - left - 110)
        colour = COLOURS[0] if bar.name == ours else COLOURS[7]
        parts.append(f'<text x="{left - 10}" y="{y + 15}" text-anchor="end">{escape(bar.name)}</text>')
        parts.append(f'<rect x="{left}" y="{y}" width="{length:.1f}" height="{row - 9}" fill="{colour}"/>')
        parts.append(f'<text x="{left + length + 8:.1f}" y="{y + 15}">{bar.value:.1f} {escape(unit)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _head(title: str, height: int, left: int) -> list[str]:
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="{left}" y="24" font-size="15">{escape(title)}</text>',
    ]


_NINES: Final = (0.0, 50.0, 90.0, 99.0, 99.9, 99.99)


def latency_plot(figures: Figures) -> str:
    """Latency by percentile, the way HdrHistogram draws it: each nine takes as much room as the one before."""
    named = [(stage.name, stage.latency) for stage in figures.stages]
    named.append(("getting in", figures.entering))
    lines = [
        Line(name, [(min(percentile, _NINES[-1]), max(time, 1e-4)) for percentile, time in latency.curve])
        for name, latency in named
        if latency is not None
    ]
    times = [time for line in lines for _, time in line.points] or [1.0]
    x = Axis("percentile", _NINES, lambda percentile: -math.log10(1 - percentile / 100))
    return plot(f"{figures.scenario}: {figures.url}", x, log_axis("milliseconds", times), lines)
