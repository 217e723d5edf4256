"""What a reader must know is told as sentences: whose limits the figures are, and who was the bottleneck."""

from __future__ import annotations

from typing import Any

from palaver.bench.figures import Figures, figures_of
from palaver.bench.run import Measurement, Report, StageReport
from palaver.bench.scenario import Scenario, adjusted, preset

MS = 1_000_000
SECOND = 1000 * MS


def figures(scenario: Scenario, stage: dict[str, Any] | None = None, **report: Any) -> Figures:
    """Of a run of two seconds in which nothing was wrong, but for what is said."""
    counts = {
        "sent": 100,
        "arrived": 100,
        "in_time": 100,
        "replies": 0,
        "refused": 0,
        "lost": 0,
        "undrained": 0,
        "left_out": 0,
    }
    timed = {"limited": None, "overdue": 0, "latency": [(MS, 100)], "reply_latency": [], "lateness": []}
    found: dict[str, Any] = {
        "ready": 2,
        "failed": 0,
        "ready_after": [],
        "ready_since_start": [],
        "settled": 0,
        "errors": [],
        "closes": [],
        "moves": [],
        "others": 0,
    }
    found |= {
        "measured": 2 * SECOND,
        "cpu": 0,
        "waited": 0,
        "entry": SECOND,
        "entry_cpu": 0,
        "entry_waited": 0,
        "stopped": False,
    }
    found["stages"] = [StageReport(**{"name": "relay", **counts, **timed, **(stage or {})})]
    measured = Measurement(Report(**(found | report)), None, None, None, None, 0)
    return figures_of("relay", "ws://node", scenario, measured, [])


RELAY, STORM = preset("relay"), preset("storm")


def test_of_a_quiet_run_nothing_is_noted() -> None:
    assert figures(RELAY).notes == []


def test_a_load_thread_that_is_busy_or_waits_for_a_core_is_told() -> None:
    (busy,) = figures(RELAY, cpu=2 * SECOND).notes
    (waiting,) = figures(RELAY, waited=SECOND).notes
    assert "the load side is the bottleneck: its thread used 100% of a core" in busy
    assert "waited 50% of the time for a core" in waiting


def test_of_a_storm_the_load_side_is_looked_at_while_clients_get_in() -> None:
    found = figures(STORM, measured=0, entry_cpu=SECOND // 2, entry_waited=SECOND // 4)
    assert (found.load_cpu_share, found.load_waited_share) == (0.5, 0.25)


def test_an_open_loop_that_sent_less_than_was_due_is_told() -> None:
    scenario = adjusted(RELAY, "relay", rate=1000.0)
    (note,) = figures(scenario, {"overdue": 500, "sent": 1500, "lateness": [(700 * MS, 1500)]}).notes
    assert "sent 1,500 of 2,000 that were due, 750 a second" in note and "700 ms late" in note
    (late,) = figures(scenario, {"sent": 2000, "lateness": [(200 * MS, 2000)]}).notes
    assert "one in a hundred 200 ms late or later" in late


def test_what_is_under_way_in_the_end_is_told_apart_from_what_was_lost() -> None:
    (undrained,) = figures(adjusted(RELAY, "relay", rate=50.0), {"undrained": 7}).notes
    assert "7 deliveries or replies were still under way" in undrained
    lost, hint = figures(RELAY, {"lost": 7, "limited": (SECOND, 40)}).notes
    assert "limits were hit: from 1.0 s on 40 a second came through, 7 deliveries dropped" in lost
    assert "gateway.toml" in hint


def test_a_refusal_tells_how_long_to_wait() -> None:
    refused = {"refused": 9, "limited": (0, 80)}
    told, _ = figures(RELAY, refused, errors=[("rate_limited", 9, "{…}", 12)]).notes
    assert told.endswith("limits were hit: 40 a second came through, 9 were refused (afterMs up to 12)")


def test_who_is_closed_while_getting_in_is_told_the_likely_limit() -> None:
    notes = figures(STORM, measured=0, failed=185, errors=[("closed by the server", 185, "", None)]).notes
    assert any("gateway.max_half_open_per_address (512 as it comes)" in note for note in notes)
