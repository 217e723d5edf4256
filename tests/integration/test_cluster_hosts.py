"""Twenty nodes on hosts of their own: crashes, stops, a partition, one-way loss and restarts, and what each node believes.

The hosts are network namespaces on a bridge, so a partition and a loss hold for UDP and for TCP. The cluster is started once, and
each test fails hosts of its own: a member that went twice within a minute is kept out of views for up to a minute more (flap
damping). HOSTS=… takes more of them or fewer, ROLLING=… is how many the rolling restart takes (`make cluster-hosts`: all
that no other test fails).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from harness.beliefs import PATIENCE, Since, all_learn, nobody_blames
from harness.cluster import until
from harness.host_cluster import HostCluster, HostNode, host_cluster
from harness.host_network import why_not

HOSTS = int(os.environ.get("HOSTS", "20"))
ROLLING = int(os.environ.get("ROLLING", "1"))
KILLED, KILLED_WITH_DISK, STOPPED, DEAF, HARD_OF_HEARING = HOSTS - 1, HOSTS, 3, 4, 5
FAILED = (KILLED, KILLED_WITH_DISK, STOPPED, DEAF, HARD_OF_HEARING)
PROBLEM = why_not()
pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(PROBLEM is not None, reason=f"no hosts: {PROBLEM}"),
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostCluster]:
    assert HOSTS >= 8, "eight hosts: five fail, and a quorum of three sees it"
    with host_cluster(tmp_path_factory.mktemp("hosts"), HOSTS) as cluster:
        until(
            cluster.settled
        )  # those that fail later, too: what they say as they start is no news in any test
        yield cluster


@pytest.fixture
def cluster(whole: HostCluster) -> Iterator[HostCluster]:
    until(lambda: whole.settled(but=FAILED))
    yield whole
    whole.network.mend()


def test_hosts_that_start_together_agree_on_one_view_and_blame_nobody(cluster: HostCluster) -> None:
    assert len(cluster.alive) == HOSTS
    nobody_blames(Since([]), cluster.alive)


def test_killed_hosts_are_unreachable_then_dead_and_come_back_with_and_without_their_disk(
    cluster: HostCluster,
) -> None:
    with_disk, without = cluster.nodes[KILLED_WITH_DISK], cluster.nodes[KILLED]
    incarnation = with_disk.view()["incarnation"]
    others = cluster.others(with_disk, without)
    since = Since(others)
    for victim in (with_disk, without):
        victim.process.kill()
    for victim in (with_disk, without):
        victim.process.wait()
        all_learn(since, others, victim, "dead")
        for node in others:
            assert since.learned(node, victim) == ["unreachable", "dead"]
    nobody_blames(since, others)
    same, other = cluster.start(with_disk.host), cluster.start(without.host, "another-disk")
    assert (same.node_id, other.node_id != without.node_id) == (with_disk.node_id, True)
    until(cluster.settled)
    assert same.view()["incarnation"] > incarnation
    assert all((without.node_id, "dead") in node.standings() for node in others)


def test_a_stopped_host_is_unreachable_and_comes_back_without_blaming_anybody(cluster: HostCluster) -> None:
    victim = cluster.nodes[STOPPED]
    others = cluster.others(victim)
    since = Since(cluster.alive)
    victim.process.send_signal(signal.SIGSTOP)
    all_learn(since, others, victim, "unreachable")
    victim.process.send_signal(signal.SIGCONT)
    until(lambda: cluster.settled(but=(KILLED, KILLED_WITH_DISK)))
    nobody_blames(since, others)
    for node in others:
        assert not {"unreachable", "dead"}.intersection(since.learned(victim, node))


@pytest.mark.parametrize(("host", "share"), [(DEAF, 1.0), (HARD_OF_HEARING, 0.8)])
def test_a_host_that_hears_nothing_or_little_is_out_and_takes_nobody_with_it(
    cluster: HostCluster, host: int, share: float
) -> None:
    victim = cluster.nodes[host]
    others = cluster.others(victim)
    since = Since(others)
    cluster.network.deafen([victim.host], share)
    all_learn(since, others, victim, "unreachable")
    nobody_blames(since, others)
    cluster.network.mend()
    # One view again, in which it may be damped: with little of what it heard it has refuted, and gone again.
    until(lambda: cluster.settled(but=FAILED), PATIENCE)
    nobody_blames(since, others)


def test_a_rolling_restart_blames_nobody(cluster: HostCluster) -> None:
    since = Since(cluster.alive)
    for host in range(6, 6 + min(ROLLING, HOSTS - 7)):
        old = cluster.nodes[host]
        old.process.terminate()
        assert old.running.ended()[0] == 0
        all_learn(since, cluster.alive, old, "left")
        assert cluster.start(host).node_id == old.node_id
        until(lambda: cluster.settled(but=FAILED), PATIENCE)
    nobody_blames(since, cluster.alive)


def test_two_halves_lose_each_other_declare_nobody_dead_and_heal_by_themselves(cluster: HostCluster) -> None:
    left = [node for node in cluster.alive if node.host <= HOSTS // 2]
    right = cluster.others(*left)
    since = Since(cluster.alive)
    cluster.network.part([node.host for node in left], [node.host for node in right])
    for node in cluster.alive:
        until(lambda node=node: node.view()["partitionSuspected"])
    for side, other in ((left, right), (right, left)):
        gone = {node.node_id for node in other}
        for node in side:

            def misses(node: HostNode = node, gone: set[str] = gone) -> bool:
                return gone <= {
                    m["nodeId"] for m in node.members() if m["suspected"] or m["status"] != "alive"
                }

            until(misses)
        nobody_blames(since, side)
    cluster.network.mend()
    until(lambda: cluster.settled(but=FAILED))
    for node in cluster.alive:
        assert not any("dead" in since.learned(node, other) for other in cluster.others(node))
