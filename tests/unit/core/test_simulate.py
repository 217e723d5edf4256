"""simulate: a history in virtual time, from Python."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from palaver.core import ArgumentError, simulate, simulation_scenarios

CRASH = """
title = "one crash"
nodes = 12
seconds = 20
[[faults]]
at = 2
kind = "crash"
nodes = 1
[[bars]]
measure = "unreachable_99"
of = "median"
at_most = 5
[[bars]]
measure = "rumour_99"
of = "median"
at_most = 1
"""


def test_a_crash_is_seen_and_the_bars_are_judged() -> None:
    shares: list[float] = []
    found = simulate(CRASH, seed=3, progress=shares.append)
    assert (found["title"], found["nodes"], found["seed"], found["rules"]) == ("one crash", 12, 3, "palaver")
    unreachable = found["measures"]["unreachable_99"]
    assert 0 < unreachable < 5
    assert found["measures"]["false_dead"] == 0
    assert found["bars"] == [("unreachable_99", 5.0, unreachable, True), ("rumour_99", 1.0, None, False)]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    at, running, views, *sizes = found["samples"][0]
    assert (running, views, sizes) == (12, 1, [12.0, 12.0, 12.0])
    assert at <= 1.0
    assert found["samples"][-1][1] == 11
    assert found["spread"][-1][1] == 1.0


def test_a_seed_is_a_history() -> None:
    assert simulate(CRASH, seed=3) == simulate(CRASH, seed=3)
    assert simulate(CRASH, seed=3)["spread"] != simulate(CRASH, seed=4)["spread"]


def test_nodes_and_rules_can_be_others() -> None:
    found = simulate("crash-100", 10, rules="memberlist")
    assert (found["nodes"], found["rules"]) == (10, "memberlist")


def test_what_the_progress_raises_ends_the_run() -> None:
    calls: list[float] = []

    def enough(share: float) -> None:
        calls.append(share)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(CRASH, progress=enough)
    assert len(calls) == 1


def test_rare_samples_do_not_make_progress_rare() -> None:
    shares: list[float] = []
    simulate(CRASH, progress=shares.append, sample_every=1e9)
    assert len(shares) > 15


def test_the_scenarios_that_come_along_can_be_read() -> None:
    scenarios = simulation_scenarios()
    files = Path(__file__).parents[3] / "rust" / "sim" / "scenarios"
    assert scenarios == {file.stem: file.read_text("utf-8") for file in files.glob("*.toml")}
    assert all(tomllib.loads(text)["title"] for text in scenarios.values())


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"scenario": "crush"}, "there is no scenario"),
        ({"scenario": "title = 3"}, "title"),
        ({"scenario": CRASH, "nodes": 2}, "3 to 5000 nodes"),
        ({"scenario": CRASH.replace("at = 2", "at = nan")}, "at is from 0 to 36000, not NaN"),
        ({"scenario": CRASH.replace("seconds = 20", "seconds = 1e12")}, "seconds is from 0.1 to 36000"),
        ({"scenario": CRASH.replace("rumour_99", "rumor_99")}, 'there is no measure "rumor_99": one of'),
        ({"scenario": CRASH, "rules": "raft"}, "one of palaver, memberlist, swim"),
        ({"scenario": CRASH, "sample_every": 0.0}, "sample_every"),
    ],
)
def test_what_cannot_be_run_is_refused(arguments: dict[str, object], rule: str) -> None:
    with pytest.raises(ArgumentError, match=rule):
        simulate(**arguments)  # type: ignore[arg-type] # wrong on purpose
