"""Figures as a table for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from palaver.bench.figures import Figures, Latency, ServerFigures, StageFigures

if TYPE_CHECKING:
    from rich.console import Console


def show(figures: Figures, console: Console) -> None:
    """Prints the figures: a row for each stage, then what else was seen."""
    from rich.table import Table

    table = Table(title=f"{figures.scenario}: {figures.url}", title_justify="left")
    for heading in ("", "count", "per s", "mean", "p50", "p90", "p99", "p99.9", "max"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, count, rate, latency in _rows(figures):
        table.add_row(name, f"{count:,}", f"{rate:,.0f}" if rate else "", *_times(latency))
    console.print(table)
    facts = f"times in ms; {figures.sessions:,} sessions; measured {figures.seconds:.1f} s"
    # A terminal would break words; in a pipe a sentence is a line.
    whole = not console.is_terminal
    console.print(facts, highlight=False, soft_wrap=whole)
    for line in _sentences(figures):
        console.print(line, highlight=False, soft_wrap=whole)
    for note in figures.notes:
        console.print(f"[yellow]note[/yellow]: {note}", highlight=False, soft_wrap=whole)


def _rows(figures: Figures) -> Iterator[tuple[str, int, float, Latency | None]]:
    if figures.entering:
        yield "getting in", figures.sessions, 0.0, figures.entering
    for stage in figures.stages:
        if stage.latency or stage.sent:
            yield stage.name, stage.arrived, stage.per_second, stage.latency
        if stage.reply_latency:
            yield f"{stage.name}, replies", stage.replies, 0.0, stage.reply_latency
        if stage.lateness:
            yield f"{stage.name}, sent late by", stage.lateness.count, 0.0, stage.lateness


def _times(latency: Latency | None) -> list[str]:
    if latency is None:
        return [""] * 6
    times = (latency.mean, latency.p50, latency.p90, latency.p99, latency.p999, latency.max)
    return [f"{time:.3g}" if time < 100 else f"{time:,.0f}" for time in times]


def _sentences(figures: Figures) -> Iterator[str]:
    if figures.server is None:
        yield "server: not a process of this user on this machine, so its CPU and memory are not known"
    else:
        yield "server: " + "; ".join(_server(figures.server, figures.stages))
    if figures.redirects:
        yield f"redirects (4001): {sum(figures.redirects.values()):,}, of which " + ", ".join(
            f"{count:,} to {url}" for url, count in figures.redirects.items()
        )
    if figures.load_cpu_share is not None:
        waited = figures.load_waited_share or 0.0
        yield f"load side: {figures.load_cpu_share:.0%} of a core, {waited:.0%} of the time waiting for one"


def _server(server: ServerFigures, stages: list[StageFigures]) -> Iterator[str]:
    yield f"process{'es' if len(server.pids) > 1 else ''} {', '.join(map(str, server.pids))}"
    if server.cpu_share is not None:
        yield f"{server.cpu_share:.0%} of a core"
    if server.cpu_micros_per_message is not None and len(stages) == 1:
        yield f"{server.cpu_micros_per_message:.2f} µs CPU per message"
    yield f"memory {_mib(server.memory_before)} before, {_mib(server.memory_after)} after, {_mib(server.memory_peak)} at most"
    if server.memory_per_session is not None:
        yield f"{server.memory_per_session / 1024:.1f} KiB per session"


def _mib(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"
