import pytest

from palaver.core import ArgumentError, CapacityError, GossipBackoff


def test_a_burst_passes_and_then_the_rate() -> None:
    backoff = GossipBackoff(rate=2.0, burst=3)
    assert [backoff.should_send("a", now=10.0) for _ in range(4)] == [True, True, True, False]
    assert backoff.should_send("a", now=10.5)
    assert not backoff.should_send("a", now=10.5)


def test_a_peer_that_failed_is_left_alone_and_one_that_answered_is_not() -> None:
    backoff = GossipBackoff(base=4.0, cap=60.0, seed=1)
    pause = backoff.record_failure("a", now=10.0)
    assert 0.0 < pause < 4.0
    assert not backoff.should_send("a", now=10.0 + pause / 2)
    assert backoff.should_send("b", now=10.0)
    backoff.record_success("a")
    assert backoff.should_send("a", now=10.0 + pause / 2)


def test_the_number_of_peers_is_bounded() -> None:
    backoff = GossipBackoff(max_nodes=1)
    backoff.should_send("a")
    with pytest.raises(CapacityError, match="gossip backoff is full: it may hold 1"):
        backoff.should_send("b")
    assert backoff.forget("a")
    assert backoff.should_send("b")


@pytest.mark.parametrize("limit", [{"rate": 0}, {"burst": 0}, {"base": -1.0}, {"cap": float("nan")}])
def test_limits_are_above_zero(limit: dict) -> None:
    with pytest.raises(ArgumentError, match="above zero"):
        GossipBackoff(**limit)
