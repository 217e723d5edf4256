import pytest

from palaver.core import ArgumentError, FanoutStrategy


def test_a_seed_fixes_the_picks_on_every_platform() -> None:
    assert FanoutStrategy(seed=1).select_targets(range(10_000), 3) == [8114, 7470, 1001]


def test_without_a_seed_the_picks_differ() -> None:
    nodes = list(range(10**6))
    assert FanoutStrategy().select_targets(nodes, 8) != FanoutStrategy().select_targets(nodes, 8)


def test_a_negative_number_of_targets_is_refused() -> None:
    with pytest.raises(ArgumentError, match="the number of targets is a whole number from 0 on"):
        FanoutStrategy().select_targets([1, 2], -1)


def test_what_cannot_be_iterated_is_refused() -> None:
    with pytest.raises(TypeError):
        FanoutStrategy().select_targets(7, 1)  # type: ignore[call-overload]
