"""DiagnosticTool: reads the counters of a MetricsTracker and says what they mean."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from palaver.observe.metrics_tracker import MetricsTracker

LATE: Final = 3.0
"""A member is late when its silence is so many of its own intervals long; φ is about 1.3 there (Hayashibara 2004)."""
TURNS: Final = 2.0
PROBE_SECONDS: Final = 1.0
"""… and longer than two turns: each member probes all others in turn, one in each `probe_interval` of the engine. A start, when
all talk at once, makes intervals far shorter than that."""
QUIET: Final = 0.1
"""A member that got less than this share of the others' average was hardly talked to."""


class Report(Struct, frozen=True):
    """What is to be said about one subject."""

    subject: str
    healthy: bool
    findings: tuple[str, ...]
    """One sentence each; the first sums up."""

    def __str__(self) -> str:
        return "\n".join((f"{self.subject}:", *(f"  {finding}" for finding in self.findings)))


class DiagnosticTool:
    """Looks at the counters whenever it is asked; keeps none of its own."""

    def __init__(self, metrics: MetricsTracker) -> None:
        self.metrics = metrics

    def report_gossip_activity(self) -> Report:
        """With whom there was gossip, and who was hardly talked to. What is noted is at most one exchange a second with each."""
        counts = self.metrics.gossip_counts
        if not counts:
            return Report("gossip activity", False, ("nothing was exchanged with anybody",))
        total = sum(counts.values())
        mean = total / len(counts)
        quiet = sorted(node for node, count in counts.items() if count < mean * QUIET)
        findings = [f"{total} exchanges noted with {_members(len(counts))}, {mean:.1f} with each on average"]
        findings += [f"{node} got only {counts[node]}" for node in quiet]
        return Report("gossip activity", not quiet, tuple(findings))

    def report_failures(self) -> Report:
        """Who came under suspicion, the most suspected first."""
        counts = self.metrics.failure_suspicions
        if not counts:
            return Report("failures", True, ("nobody came under suspicion",))
        worst = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        findings = [f"{sum(counts.values())} suspicions of {_members(len(counts))}"]
        findings += [f"{node} was suspected {_times(count)}" for node, count in worst]
        return Report("failures", False, tuple(findings))

    def report_heartbeat_health(self, now: float) -> Report:
        """Whose heartbeat is late by its own rhythm, at `now` seconds of the tracker's clock."""
        beats = self.metrics.heartbeats
        if not beats:
            return Report("heartbeats", False, ("nobody was heard",))
        turns = TURNS * PROBE_SECONDS * len(beats)
        late = sorted(
            (
                (now - one.last, node)
                for node, one in beats.items()
                if one.interval and now - one.last > max(LATE * one.interval, turns)
            ),
            reverse=True,
        )
        findings = [f"{len(beats) - len(late)} of {_members(len(beats))} are on time"]
        findings += [
            f"{node} has been silent for {silence:.1f} s; it used to be heard every {beats[node].interval:.1f} s"
            for silence, node in late
        ]
        return Report("heartbeats", not late, tuple(findings))


def _members(count: int) -> str:
    return f"{count} member{'s' if count != 1 else ''}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
