"""The plot of a simulation: who knows, and how many members the nodes see, over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from palaver.bench.plot import HEIGHT, WIDTH, Line, plot, zero_axis

POINTS: Final = 100
"""Of a curve: more cannot be told apart."""


def simulation_plot(figures: dict[str, Any]) -> str:
    """An SVG document with two plots, one above the other."""
    samples = thin(figures["samples"])
    spread = thin(figures["spread"])
    name = (
        f"{figures['title']}: {figures['nodes']} nodes, seed {figures['seed']}, rules of {figures['rules']}"
    )
    sizes = [
        Line(label, [(sample[0], sample[column]) for sample in samples])
        for label, column in (("running", 1), ("fewest seen", 3), ("seen on average", 4), ("most seen", 5))
    ]
    plots = [
        plot(
            f"members over time, {name}",
            zero_axis("seconds", [sample[0] for sample in samples]),
            zero_axis("members", [value for line in sizes for _, value in line.points]),
            sizes,
        )
    ]
    if spread:
        shares = [Line("nodes that know", [(at, share * 100) for at, share in spread])]
        seconds = zero_axis("seconds since it began", [at for at, _ in spread])
        plots.append(plot("spread of the news", seconds, zero_axis("percent", [100.0]), shares))
    return stacked(plots)


def thin(points: Sequence[Any]) -> list[Any]:
    step = max(1, -(-len(points) // POINTS))
    return [*points[::step], *points[-1:]]


def stacked(plots: Sequence[str]) -> str:
    """One document of several of the same size."""
    height = HEIGHT * len(plots)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}">'
    placed = [
        document.replace("<svg ", f'<svg y="{HEIGHT * row}" width="{WIDTH}" height="{HEIGHT}" ', 1)
        for row, document in enumerate(plots)
    ]
    return "\n".join([head, *placed, "</svg>", ""])
