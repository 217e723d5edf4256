"""The picks of FanoutStrategy."""

from hypothesis import given
from hypothesis import strategies as st

from palaver.core import FanoutStrategy


@given(st.integers(0, 2**64 - 1), st.integers(0, 200), st.integers(0, 220))
def test_picks_are_different_and_as_many_as_asked_for(seed: int, n: int, k: int) -> None:
    nodes = list(range(n))
    picks = FanoutStrategy(seed=seed).select_targets(nodes, k)
    assert len(picks) == len(set(picks)) == min(n, k)
    assert set(picks) <= set(nodes)
    assert picks == FanoutStrategy(seed=seed).select_targets(tuple(nodes), k)
    assert picks == FanoutStrategy(seed=seed).select_targets(dict.fromkeys(nodes), k)
