"""Figures: what a measurement means, as people and programs read it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from palaver.bench.notes import notes
from palaver.bench.run import Buckets, Measurement, Sample, StageReport
from palaver.bench.scenario import Joins, Load, Scenario, SlowReader, Trickle

LONG_ENOUGH: Final = 0.2
"""Seconds over which a rate is told."""
CURVE: Final = (0, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.95, 99.99, 100)


class Latency(Struct, frozen=True, rename="camel"):
    """In milliseconds."""

    count: int
    mean: float
    p50: float
    p90: float
    p99: float
    p999: float
    max: float
    curve: list[tuple[float, float]]
    """(percentile, milliseconds)."""


class StageFigures(Struct, frozen=True, rename="camel"):
    name: str
    sent: int
    arrived: int
    replies: int
    refused: int
    """Messages that the node refused, and said so."""
    lost: int
    """Deliveries and replies that never come: the node has answered what was sent after them."""
    undrained: int
    """Deliveries and replies that were still under way when they were waited for no longer."""
    left_out: int
    overdue: int
    """Messages of an open loop that were due in time and not sent."""
    per_second: float
    """Messages that arrived in time; of joins, those that got in."""
    latency: Latency | None
    reply_latency: Latency | None
    lateness: Latency | None
    """How late an open loop sent."""
    limited_after: float | None
    """Seconds since measuring began, from when on messages were refused or lost; None: none were."""
    limited_per_second: float | None
    """Messages that arrived from then on."""


class ServerFigures(Struct, frozen=True, rename="camel"):
    pids: list[int]
    cpu_share: float | None
    """Of one core, all processes together, while it was measured (a storm: until it was over)."""
    cpu_micros_per_message: float | None
    memory_before: int
    memory_after: int
    memory_peak: int
    memory_per_session: float | None
    """Bytes by which it grew for each session that got in."""


class Refusal(Struct, frozen=True, rename="camel"):
    reason: str
    count: int
    sample: str
    after_ms: int | None = None
    """The longest time after which it might be tried again, of those that said one."""


class Figures(Struct, frozen=True, rename="camel"):
    scenario: str
    url: str
    seconds: float
    sessions: int
    failed: int
    stages: list[StageFigures]
    entering: Latency | None
    """From connecting to joined, of those that stay."""
    entering_since_start: Latency | None
    settled_ms: float
    """From the beginning until all were in and quiet."""
    server: ServerFigures | None
    load_cpu_share: float | None
    """CPU of the load thread, as share of a core, while it was measured (a storm: until all were in)."""
    load_waited_share: float | None
    """Share of that time in which it wanted a core and had none."""
    refusals: list[Refusal]
    closes: dict[str, int]
    """Close code of connections that were to stay → how often."""
    redirects: dict[str, int]
    """URL of the worker that clients were sent to while they got in (4001) → how often."""
    notes: list[str]
    """What a reader must know before using the figures."""

    @property
    def is_empty(self) -> bool:
        """Whether nobody was let in, so that there are no figures."""
        return not self.sessions and not any(stage.arrived for stage in self.stages)


def figures_of(
    name: str, url: str, scenario: Scenario, measured: Measurement, pids: Sequence[int]
) -> Figures:
    """All figures of a measurement; `pids` are the processes of the node, none where they are not known."""
    report = measured.report
    seconds = report.measured / 1e9
    cpu, waited, time = report.cpu, report.waited, report.measured
    if scenario.is_storm:
        cpu, waited, time = report.entry_cpu, report.entry_waited, report.entry
    figures = Figures(
        scenario=name,
        url=url,
        seconds=seconds,
        sessions=report.ready,
        failed=report.failed,
        stages=[
            _stage_figures(stage, load, seconds)
            for stage, load in zip(report.stages, scenario.stage, strict=True)
        ],
        entering=latency(report.ready_after),
        entering_since_start=latency(report.ready_since_start),
        settled_ms=report.settled / 1e6,
        server=server_figures(scenario, measured, pids) if pids else None,
        load_cpu_share=cpu / time if time else None,
        load_waited_share=waited / time if time else None,
        refusals=[Refusal(*each) for each in report.errors],
        closes={str(code): count for code, count in report.closes},
        redirects=dict(report.moves),
        notes=[],
    )
    return replace(figures, notes=notes(scenario, figures, report.stopped))


def _stage_figures(stage: StageReport, load: Load, seconds: float) -> StageFigures:
    since = None if stage.limited is None else stage.limited[0] / 1e9
    held = None
    if stage.limited is not None and since is not None and seconds - since >= LONG_ENOUGH:
        held = stage.limited[1] / (seconds - since)
    return StageFigures(
        name=stage.name,
        sent=stage.sent,
        arrived=stage.arrived,
        replies=stage.replies,
        refused=stage.refused,
        lost=stage.lost,
        undrained=stage.undrained,
        left_out=stage.left_out,
        overdue=stage.overdue * (load.burst if isinstance(load, Trickle) else 1),
        per_second=stage.in_time / seconds if seconds else 0.0,
        latency=latency(stage.latency),
        reply_latency=latency(stage.reply_latency),
        lateness=latency(stage.lateness),
        limited_after=since,
        limited_per_second=held,
    )


def latency(buckets: Buckets) -> Latency | None:
    """Percentiles of a histogram: the value that this share of all was not above."""
    count = sum(times for _, times in buckets)
    if not count:
        return None

    def at(percentile: float) -> float:
        rank, seen = max(1.0, count * percentile / 100), 0
        for value, times in buckets:
            seen += times
            if seen >= rank - 1e-9:
                return value / 1e6
        return buckets[-1][0] / 1e6

    mean = sum(value * times for value, times in buckets) / count / 1e6
    curve = [(percentile, at(percentile)) for percentile in CURVE]
    return Latency(count, mean, at(50), at(90), at(99), at(99.9), buckets[-1][0] / 1e6, curve)


def server_figures(scenario: Scenario, measured: Measurement, pids: Sequence[int]) -> ServerFigures | None:
    """What the server used; None if it could not be watched."""
    before, first, last = measured.before, measured.first, measured.last
    if scenario.is_storm:
        first, last = before, measured.settled
    if before is None or first is None or last is None:
        return None
    wall, cpu = last.time - first.time, last.cpu - first.cpu
    messages = measured.report.ready if scenario.is_storm else last.messages - first.messages
    return ServerFigures(
        pids=list(pids),
        cpu_share=cpu / wall if wall > 0 else None,
        cpu_micros_per_message=cpu / messages * 1e6 if messages > 0 else None,
        memory_before=before.memory,
        memory_after=last.memory,
        memory_peak=measured.peak_memory,
        memory_per_session=_per_session(scenario, measured, before, last),
    )


def _per_session(scenario: Scenario, measured: Measurement, before: Sample, last: Sample) -> float | None:
    """Of sessions that come and go none can be told; of slow readers, what the peak was above the time before."""
    kinds = [type(stage) for stage in scenario.stage]
    if kinds == [SlowReader]:
        settled = measured.settled or before
        (load,) = scenario.stage
        slow = load.slow if isinstance(load, SlowReader) else 1
        return (measured.peak_memory - settled.memory) / slow
    if Joins in kinds or not measured.report.ready:
        return None
    return (last.memory - before.memory) / measured.report.ready
