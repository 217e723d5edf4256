"""Notes: what a reader must know before using the figures, as sentences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from palaver.bench.scenario import Idle, Scenario, SlowReader, Trickle

if TYPE_CHECKING:
    from palaver.bench.figures import Figures, StageFigures

BUSY: Final = 0.9
"""Share of a core from which the load side is taken for the bottleneck."""
WAITING: Final = 0.1
"""Share of the time from which waiting for a core is told. A quiet machine has some hundredths."""
LATE_MS: Final = 100.0
"""Of an open loop, how late one message in a hundred may be sent before it is told."""
BEHIND: Final = 0.01
"""Of what an open loop owed, the share that may be unsent in the end before it is told."""
LIMITS_HINT: Final = (
    "A load test wants higher ones: `palaver serve --config benches/gateway.toml` (docs/load-testing.md)"
)
CLOSED: Final = "closed by the server"
"""The load core's reason for a connection that ended before it was in, without a word."""


def notes(scenario: Scenario, figures: Figures, stopped: bool) -> list[str]:
    """All of them, the most important first."""
    said = ["it was stopped early: figures are of the time until then"] if stopped else []
    said += _of_load_side(scenario, figures)
    said += _of_limits(figures)
    said += _of_getting_in(scenario, figures)
    for stage, load in zip(figures.stages, scenario.stage, strict=True):
        said += _of_stage(stage, load.rate is not None, quiet=scenario.is_storm or isinstance(load, Idle))
    return said


def _of_load_side(scenario: Scenario, figures: Figures) -> Iterator[str]:
    busy, waited = figures.load_cpu_share, figures.load_waited_share
    if busy is not None and busy >= BUSY:
        yield (
            f"the load side is the bottleneck: its thread used {busy:.0%} of a core, so rate and latency are its own limits; "
            "the server's CPU per message holds"
        )
    if waited is not None and waited >= WAITING:
        yield (
            f"the load side was held up: its thread waited {waited:.0%} of the time for a core that others had, perhaps the "
            "node, so rate and latency are those of a shared core; give each one of its own (taskset)"
        )
    for stage, load in zip(figures.stages, scenario.stage, strict=True):
        due = (load.rate or 0.0) * figures.seconds * (load.burst if isinstance(load, Trickle) else 1)
        late = stage.lateness is not None and stage.lateness.p99 >= LATE_MS
        if stage.overdue > due * BEHIND:
            yield (
                f"{stage.name}: the load side did not keep up: it sent {stage.sent:,} of {due:,.0f} that were due, "
                f"{stage.sent / (figures.seconds or 1):,.0f} a second, and the last one of a hundred "
                f"{stage.lateness.p99 if stage.lateness else 0:,.0f} ms late"
            )
        elif late and stage.lateness is not None:
            yield (
                f"{stage.name}: the load side sent one in a hundred {stage.lateness.p99:,.0f} ms late or later, which is in the "
                "latencies"
            )


def _of_limits(figures: Figures) -> Iterator[str]:
    waits = {each.reason: each.after_ms for each in figures.refusals}
    held = [stage for stage in figures.stages if stage.limited_after is not None]
    for stage in held:
        parts = []
        if stage.limited_per_second is not None:
            when = f"from {stage.limited_after:.1f} s on " if stage.limited_after else ""
            parts.append(f"{when}{stage.limited_per_second:,.0f} a second came through")
        if stage.refused:
            wait = waits.get("rate_limited")
            parts.append(f"{stage.refused:,} were refused" + (f" (afterMs up to {wait})" if wait else ""))
        if stage.lost:
            parts.append(f"{stage.lost:,} deliveries dropped (of a refused notification nobody is told)")
        yield f"{stage.name}: the node's rate limits were hit: " + ", ".join(parts)
    if closed := figures.closes.get("4013"):
        yield f"the node closed {closed} connections with 4013: they went on over its limits, of bytes or of requests"
    if held or closed or "rate_limited" in waits:
        yield f"these are figures of the node's limits, not of what it can do. {LIMITS_HINT}"


def _of_getting_in(scenario: Scenario, figures: Figures) -> Iterator[str]:
    reasons = {refusal.reason: refusal.count for refusal in figures.refusals}
    if others := {reason: count for reason, count in reasons.items() if reason != "rate_limited"}:
        yield "refused: " + ", ".join(f"{reason} ({count})" for reason, count in others.items())
    if "token_invalid" in reasons:
        yield "the node does not know the key of the tokens: name its settings with --config, or its --state-dir"
    if "connection refused" in reasons:
        yield "nobody listens there: start a node with `palaver dev` or `palaver serve`, or name one with --url"
    if CLOSED in reasons:
        yield (
            "the node closes connections of one address beyond gateway.max_half_open_per_address (512 as it comes) while they "
            f"get in, and beyond max_connections_per_address: most likely that. {LIMITS_HINT}"
        )
    if figures.failed:
        yield f"{figures.failed} clients were not let in"
    expected = {"4002"} if any(isinstance(stage, SlowReader) for stage in scenario.stage) else set()
    if lost := {code: count for code, count in figures.closes.items() if code not in expected}:
        yield "closed by the server: " + ", ".join(f"{count} with {code}" for code, count in lost.items())


def _of_stage(stage: StageFigures, has_rate: bool, *, quiet: bool) -> Iterator[str]:
    if stage.lost and stage.limited_after is None:
        yield f"{stage.name}: {stage.lost:,} deliveries or replies never came"
    if stage.undrained:
        why = "the rate is more than the node can do, or the load side" if has_rate else "the node is slow"
        yield (
            f"{stage.name}: {stage.undrained:,} deliveries or replies were still under way when waiting for them ended: {why}"
        )
    if stage.left_out:
        limited = (
            ""
            if stage.limited_after is None
            else " (or it had first to be found out which the node had dropped)"
        )
        yield f"{stage.name}: {stage.left_out:,} were not sent, because too much was under way: the rate is too high{limited}"
    if not stage.arrived and not quiet:
        yield f"{stage.name}: nothing arrived"
