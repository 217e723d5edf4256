"""A cluster of nodes in one process: rounds of gossip, and what everybody believes afterwards."""

from __future__ import annotations

import pytest

import palaver.cluster
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


@pytest.mark.parametrize("step", [0.2, 0.5, 1.0, 3.0])
def test_no_healthy_node_is_ever_called_unreachable(step: float) -> None:
    cluster = Cluster(GossipStrategy(seed=1))
    for number in range(12):
        cluster.add_node(node(number))
    for beat in range(60):
        cluster.gossip_round(now=beat * step)
        wrong = {
            row[1] for each in cluster.nodes.values() for row in each.membership.values() if row[1] != "alive"
        }
        assert not wrong, f"{wrong} in round {beat}"
    assert all(set(each.membership) == set(cluster.nodes) for each in cluster.nodes.values())


def test_a_node_that_was_removed_is_found_out_and_nobody_else_is() -> None:
    cluster = Cluster(GossipStrategy(seed=1))
    nodes = [node(number) for number in range(12)]
    for each in nodes:
        cluster.add_node(each)
    for beat in range(10):
        cluster.gossip_round(now=float(beat))
    gone = cluster.remove_node(nodes[3])
    for beat in range(10, 20):
        cluster.gossip_round(now=float(beat))
    for each in cluster.nodes.values():
        assert {id for id, row in each.membership.items() if row[1] != "alive"} == {gone.node_id}


def test_who_has_left_is_passed_over_and_all_know_that_it_left() -> None:
    cluster = Cluster(GossipStrategy(seed=1))
    nodes = [node(number) for number in range(5)]
    for each in nodes:
        cluster.add_node(each)
    for beat in range(5):
        cluster.gossip_round(now=float(beat))
    nodes[2].update_status("left", now=5.0)
    for beat in range(5, 15):
        cluster.gossip_round(now=float(beat))
    assert {each.membership[nodes[2].node_id][1] for each in nodes} == {"left"}
    assert cluster.nodes[nodes[2].node_id] is nodes[2]


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
    assert all(f"{each.name} ({each.node_id}), alive, sees" in printed for each in nodes)


def test_one_id_is_one_node_and_an_unknown_one_is_an_error() -> None:
    cluster, one = Cluster(), node(1)
    cluster.add_node(one)
    with pytest.raises(ArgumentError, match=r"has a node .* already"):
        cluster.add_node(one)
    with pytest.raises(ArgumentError, match="has no node"):
        cluster.remove_node("nobody")
    with pytest.raises(ArgumentError, match="has no node"):
        cluster.remove_node(node(2))
    with pytest.raises(ArgumentError, match=r"holds nodes, such as ProductionNode\(name\), not 'x'"):
        cluster.add_node("x")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="1 or more, not 0"):
        Cluster(fanout=0)


FOUNDING = (
    "Node NodeMetadata MembershipTable ProductionNode GossipStrategy FanoutStrategy GossipBackoff GossipMessage GossipEnvelope "
    "KeyManager MessageCache BroadcastBuffer FailureDetector Transport Cluster ClusterManager BootstrapConfig StateStore "
    "WriteAheadLog MetricsTracker DiagnosticTool MetricsExporter"
)


@pytest.mark.parametrize("name", FOUNDING.split())
def test_the_founding_classes_are_all_found_in_one_place(name: str) -> None:
    assert getattr(palaver.cluster, name).__name__ == name
