"""Figures: what a measurement means, as people and programs read it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from palaver.bench.run import Buckets, Measurement, Sample
from palaver.bench.scenario import Idle, Joins, Scenario, SlowReader

BUSY: Final = 0.9
"""Share of a core from which the load side is taken for the bottleneck."""
LIMITS_HINT: Final = (
    "A load test wants higher ones: `palaver serve --config benches/gateway.toml` (docs/load-testing.md)"
)
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
    lost: int
    left_out: int
    per_second: float
    """Messages that arrived in time; of joins, those that got in."""
    latency: Latency | None
    reply_latency: Latency | None
    lateness: Latency | None
    """How late an open loop sent."""


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
    """CPU of the load thread, as share of a core."""
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
    stages = [
        StageFigures(
            name=stage.name,
            sent=stage.sent,
            arrived=stage.arrived,
            replies=stage.replies,
            lost=stage.lost,
            left_out=stage.left_out,
            per_second=stage.in_time / seconds if seconds else 0.0,
            latency=latency(stage.latency),
            reply_latency=latency(stage.reply_latency),
            lateness=latency(stage.lateness),
        )
        for stage in report.stages
    ]
    share = report.cpu / report.measured if report.measured else None
    refusals = [Refusal(reason, count, sample) for reason, count, sample in report.errors]
    closes = {str(code): count for code, count in report.closes}
    return Figures(
        scenario=name,
        url=url,
        seconds=seconds,
        sessions=report.ready,
        failed=report.failed,
        stages=stages,
        entering=latency(report.ready_after),
        entering_since_start=latency(report.ready_since_start),
        settled_ms=report.settled / 1e6,
        server=server_figures(scenario, measured, pids) if pids else None,
        load_cpu_share=share,
        refusals=refusals,
        closes=closes,
        redirects=dict(report.moves),
        notes=notes(scenario, stages, refusals, closes, share, report.failed, report.stopped),
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


def notes(
    scenario: Scenario,
    stages: list[StageFigures],
    refusals: list[Refusal],
    closes: dict[str, int],
    share: float | None,
    failed: int,
    stopped: bool,
) -> list[str]:
    """What a reader must know before using the figures, as sentences."""
    said = []
    if stopped:
        said.append("it was stopped early: figures are of the time until then")
    if share is not None and share >= BUSY:
        said.append(
            f"the load side is the bottleneck: its thread used {share:.0%} of a core, so rate and latency are its own limits; "
            "the server's CPU per message holds"
        )
    reasons = {refusal.reason: refusal.count for refusal in refusals}
    if "rate_limited" in reasons or closes.get("4013"):
        said.append(f"the node's rate limits were hit, so these are figures of refusals. {LIMITS_HINT}")
    if others := {reason: count for reason, count in reasons.items() if reason != "rate_limited"}:
        said.append("refused: " + ", ".join(f"{reason} ({count})" for reason, count in others.items()))
    if "token_invalid" in reasons:
        said.append(
            "the node does not know the key of the tokens: name its settings with --config, or its --state-dir"
        )
    if "connection refused" in reasons:
        said.append(
            "nobody listens there: start a node with `palaver dev` or `palaver serve`, or name one with --url"
        )
    if failed:
        said.append(f"{failed} clients were not let in")
    expected = {"4002"} if any(isinstance(stage, SlowReader) for stage in scenario.stage) else set()
    if lost := {code: count for code, count in closes.items() if code not in expected}:
        said.append(
            "closed by the server: " + ", ".join(f"{count} with {code}" for code, count in lost.items())
        )
    for stage in stages:
        if stage.lost:
            said.append(
                f"{stage.name}: {stage.lost} deliveries or replies never came: lost, or refused, most likely by the node's rate "
                f"limits (of a notification nobody is told; --replies shows why). {LIMITS_HINT}"
            )
        if stage.left_out:
            said.append(
                f"{stage.name}: {stage.left_out} were not sent, because too much was under way: the rate is too high"
            )
        if (
            not stage.arrived
            and not scenario.is_storm
            and not any(isinstance(each, Idle) for each in scenario.stage)
        ):
            said.append(f"{stage.name}: nothing arrived")
    return said
