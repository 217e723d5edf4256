from __future__ import annotations

import pytest

from palaver.observe import LoopLag


def test_a_loop_in_time_has_no_lag() -> None:
    lag = LoopLag(0.05)
    for _ in range(100):
        lag.ticked(0.05)
    assert (lag.seconds, lag.longest) == (0.0, 0.0)


def test_one_stall_counts_by_its_length_and_is_forgotten() -> None:
    lag = LoopLag(0.05)
    assert lag.ticked(2.05) == pytest.approx(2.0 * (1 - 0.1287), rel=0.01)
    for _ in range(100):  # five seconds
        lag.ticked(0.05)
    assert lag.seconds < 0.02
    assert lag.longest == pytest.approx(2.0)


def test_a_steady_lag_becomes_the_average() -> None:
    lag = LoopLag(0.05)
    for _ in range(100):
        lag.ticked(0.35)
    assert lag.seconds == pytest.approx(0.3)
