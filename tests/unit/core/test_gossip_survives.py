"""What a simulated cluster survives: each trouble ends with one view of all who run, and nobody healthy was given up.

A member that went more than once is damped: it counts as out of reach until it has been quiet for a minute.
"""

from __future__ import annotations

from typing import Any

import pytest

from palaver.core import simulate


def survived(title: str, nodes: int, seconds: float, faults: str, quality: str = "", seed: int = 1) -> Any:
    """The measures of a run that lasts long enough to find one view."""
    head = f"title = '{title}'\nnodes = {nodes}\nseconds = {seconds}\nuntil_one_view = true\n{quality}\n"
    return simulate(head + faults, seed=seed)["measures"]


@pytest.mark.parametrize("seconds", [10, 300, 3_600])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_partition_heals_without_an_operator(seconds: int, seed: int) -> None:
    faults = f"[[faults]]\nkind = 'partition'\nat = 5\nnodes = '50%'\nuntil = {5 + seconds}\n"
    found = survived("partition", 20, 5 + seconds + 120, faults, seed=seed)
    assert found["one_view"] < 60
    assert found["evicted"] == 0


@pytest.mark.parametrize("hours", [1, -1])
def test_a_wall_clock_that_jumps_by_an_hour_is_no_fault(hours: int) -> None:
    faults = f"[[faults]]\nkind = 'clock'\nat = 5\nnodes = 3\nby = {hours * 3_600}\n"
    found = survived("clock", 20, 120, faults)
    assert found["one_view"] < 5
    assert (found["false_unreachable"], found["false_dead"]) == (0, 0)


@pytest.mark.parametrize(("inbound", "outbound"), [(1.0, 0.0), (0.0, 1.0)])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_link_that_works_one_way_costs_nobody_else_their_membership(
    inbound: float, outbound: float, seed: int
) -> None:
    faults = (
        "[[faults]]\nkind = 'links'\nat = 5\nnodes = 1\nuntil = 65\n"
        f"inbound_loss = {inbound}\noutbound_loss = {outbound}\n"
    )
    found = survived("one way", 20, 200, faults, seed=seed)
    assert found["unreachable_99"] < 10
    assert (found["evicted"], found["false_dead_healthy"]) == (0, 0)
    assert found["one_view"] < 90


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_third_of_all_datagrams_lost_the_rest_out_of_order_and_doubled_kills_nobody(seed: int) -> None:
    quality = "quality = { delay = 0.001, jitter = 0.05, loss = 0.02, duplicate = 0.1 }"
    faults = "[[faults]]\nkind = 'weather'\nat = 5\nloss = 0.3\nduplicate = 0.3\nuntil = 125\n"
    found = survived("weather", 30, 300, faults, quality, seed=seed)
    assert (found["evicted"], found["false_dead"]) == (0, 0)
    assert found["one_view"] < 90


def test_a_thousand_nodes_that_come_and_go_end_with_one_view() -> None:
    faults = ""
    for at in range(5, 25, 5):
        faults += f"[[faults]]\nkind = 'crash'\nat = {at}\nnodes = 10\nrestart_after = 8\n"
        faults += (
            f"[[faults]]\nkind = 'crash'\nat = {at + 1}\nnodes = 5\nrestart_after = 12\nlose_disk = true\n"
        )
    found = survived("churn", 1_000, 240, faults)
    assert found["evicted"] <= 4 * 5, "who has lost its disk comes back as somebody else"
    assert found["one_view"] < 120
