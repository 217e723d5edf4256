import pytest

from palaver.core import ArgumentError, FanoutStrategy, GossipStrategy, Node, NodeMetadata


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


def test_weights_pick_in_proportion_and_zero_never() -> None:
    strategy = FanoutStrategy(seed=3)
    picks = [strategy.select_targets("abc", 1, weights=[1, 0, 3])[0] for _ in range(4000)]
    assert set(picks) == {"a", "c"}
    assert 2800 < picks.count("c") < 3200


@pytest.mark.parametrize("weights", [[1.0], [1, 2, -1], [1, 2, float("inf")]])
def test_weights_that_fit_no_nodes_are_refused(weights: list[float]) -> None:
    with pytest.raises(ArgumentError, match="weight"):
        FanoutStrategy().select_targets("abc", 1, weights=weights)


def test_gossip_stays_in_the_zone_but_for_one_peer() -> None:
    nodes = [Node(f"n{n}", metadata=NodeMetadata("eu", "ab"[n % 2])) for n in range(20)]
    strategy = GossipStrategy(NodeMetadata("eu", "a"), seed=1)
    for _ in range(50):
        zones = sorted(node.metadata.zone for node in strategy.select_peers(nodes, 4))
        assert zones == ["a", "a", "a", "b"]


def test_weights_count_within_the_zone_and_outside_of_it() -> None:
    nodes = [Node(f"n{n}", metadata=NodeMetadata("eu", "ab"[n % 2])) for n in range(8)]
    strategy = GossipStrategy(NodeMetadata("eu", "a"), seed=1)
    for _ in range(50):
        picks = strategy.select_peers(nodes, 3, weights=[0, 0, 1, 1, 1, 0, 1, 0])
        assert sorted(node.metadata.zone for node in picks) == ["a", "a", "b"]
        assert {node.node_id for node in picks} <= {"n2", "n3", "n4", "n6"}
    assert GossipStrategy(seed=1).select_peers("abc", 2, weights=[0, 1, 0]) == ["b"]
    with pytest.raises(ArgumentError, match="one weight for each node"):
        strategy.select_peers(nodes, 3, weights=[1.0])


def test_without_a_place_any_peer_is_picked() -> None:
    strategy = GossipStrategy(seed=1)
    assert {strategy.select_peer("abc") for _ in range(100)} == set("abc")
    assert strategy.select_peer([]) is None
