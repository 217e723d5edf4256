"""A cluster of nodes in one process: rounds of gossip, and what everybody believes afterwards."""

from __future__ import annotations

import pytest

from palaver.cluster import Cluster
from palaver.core import ArgumentError, FanoutStrategy, GossipStrategy, ProductionNode


def node(number: int) -> ProductionNode:
    return ProductionNode(f"node-{number}", seed=number, now=0.0, unix_time=1e9)


@pytest.mark.parametrize("strategy", [GossipStrategy(seed=1), FanoutStrategy(seed=1)])
def test_rounds_of_gossip_lead_to_one_view(strategy: GossipStrategy | FanoutStrategy) -> None:
    cluster = Cluster(strategy, fanout=2)
    for number in range(12):
        cluster.add_node(node(number))
    rounds = 0
    while len({each.root for each in cluster.nodes.values()}) > 1:
        assert cluster.gossip_round(now=0.01 * rounds) > 0
        rounds += 1
        assert rounds < 12
    assert all(set(each.membership) == set(cluster.nodes) for each in cluster.nodes.values())
    assert cluster.gossip_round(now=0.01 * rounds) == 0


def test_a_node_that_is_removed_is_out_of_the_rounds_and_still_known() -> None:
    cluster = Cluster()
    one, two, three = node(1), node(2), node(3)
    for each in (one, two, three):
        cluster.add_node(each)
    for _ in range(5):
        cluster.gossip_round(now=0.0)
    assert cluster.remove_node(two.node_id) is two
    assert list(cluster.nodes) == [one.node_id, three.node_id]
    cluster.gossip_round(now=0.0)
    assert two.node_id in one.membership


def test_a_cluster_of_one_has_nobody_to_gossip_with() -> None:
    cluster = Cluster()
    cluster.add_node(node(1))
    assert cluster.gossip_round(now=0.0) == 0


def test_every_membership_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    cluster = Cluster()
    nodes = [node(number) for number in range(3)]
    for each in nodes:
        cluster.add_node(each)
    while len({each.root for each in nodes}) > 1:
        cluster.gossip_round(now=0.0)
    cluster.print_all_memberships()
    printed = capfd.readouterr().out
    assert all(printed.count(each.node_id) >= 3 for each in nodes)


def test_one_id_is_one_node_and_an_unknown_one_is_an_error() -> None:
    cluster, one = Cluster(), node(1)
    cluster.add_node(one)
    with pytest.raises(ArgumentError, match=r"has a node .* already"):
        cluster.add_node(one)
    with pytest.raises(ArgumentError, match="has no node"):
        cluster.remove_node("nobody")
    with pytest.raises(ArgumentError, match="1 or more, not 0"):
        Cluster(fanout=0)
