"""Twenty node processes on loopback, without hosts of their own: crashes, a stop of five seconds, restarts, one after another.

The cluster is started once, and each test fails nodes of its own: a member that went twice within a minute is kept out of
views for up to a minute more (flap damping).
"""

from __future__ import annotations

import signal
import string
import time
from collections.abc import Iterator

import pytest

from harness.beliefs import Since, all_learn, nobody_blames
from harness.cluster import PATIENCE, ClusterNode, ProcessCluster, process_cluster, until

NAMES = string.ascii_lowercase[:20]
KILLED_WITH_DISK, KILLED, STOPPED, RESTARTED = "t", "s", "r", "bc"
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessCluster]:
    with process_cluster(tmp_path_factory.mktemp("twenty")) as cluster:
        cluster.start_all(NAMES)
        until(cluster.settled)
        # Views are ahead of the events that tell of them.
        for node in cluster.alive:
            until(lambda node=node: has_told_of_all(node, cluster))
        yield cluster


def has_told_of_all(node: ClusterNode, cluster: ProcessCluster) -> bool:
    told = {event["facts"]["member"] for event in node.events() if event["kind"] == "alive"}
    return told >= {other.node_id for other in cluster.alive if other is not node}


@pytest.fixture
def cluster(whole: ProcessCluster) -> ProcessCluster:
    until(whole.settled)
    assert len(whole.alive) == len(NAMES)
    return whole


def test_killed_nodes_are_unreachable_then_dead_and_come_back_with_and_without_their_disk(
    cluster: ProcessCluster,
) -> None:
    with_disk, without = cluster.nodes[KILLED_WITH_DISK], cluster.nodes[KILLED]
    incarnation = with_disk.view()["incarnation"]
    others = [node for node in cluster.alive if node not in (with_disk, without)]
    since = Since(others)
    for victim in (with_disk, without):
        victim.process.kill()
    for victim in (with_disk, without):
        victim.process.wait()
        all_learn(since, others, victim, "dead")
        for node in others:
            assert since.learned(node, victim) == ["unreachable", "dead"]
    nobody_blames(since, others)
    same, other = cluster.start(with_disk.name), cluster.start(without.name, state="another-disk")
    assert same.node_id == with_disk.node_id
    assert other.node_id != without.node_id
    until(cluster.settled)
    assert same.view()["incarnation"] > incarnation
    assert all((without.node_id, "dead") in node.standings() for node in others)


def test_a_node_that_is_stopped_for_five_seconds_is_dead_to_nobody_and_blames_nobody(
    cluster: ProcessCluster,
) -> None:
    victim = cluster.nodes[STOPPED]
    others = [node for node in cluster.alive if node is not victim]
    since = Since(cluster.alive)
    victim.process.send_signal(signal.SIGSTOP)
    goes_on = time.monotonic() + 5.0
    all_learn(since, others, victim, "unreachable")
    until(lambda: time.monotonic() >= goes_on)
    victim.process.send_signal(signal.SIGCONT)
    all_learn(since, others, victim, "alive")
    until(cluster.settled)
    for node in others:
        assert since.learned(node, victim) == ["unreachable", "alive"]
        assert not {"unreachable", "dead"}.intersection(since.learned(victim, node))
    nobody_blames(since, others)


def test_nodes_that_are_restarted_one_after_another_are_blamed_by_nobody(cluster: ProcessCluster) -> None:
    since = Since(cluster.alive)
    for name in RESTARTED:
        old = cluster.nodes[name]
        old.process.terminate()
        assert old.running.ended()[0] == 0
        all_learn(since, cluster.alive, old, "left")
        assert cluster.start(name).node_id == old.node_id
        until(cluster.settled, PATIENCE)
    nobody_blames(since, cluster.alive)
    until(lambda: len({node.view()["root"] for node in cluster.alive}) == 1)
