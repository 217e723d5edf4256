"""Clusters of real processes on loopback: they form, lose nodes, and get them back."""

from __future__ import annotations

import signal
import socket
import time
import urllib.request
from pathlib import Path

import pytest

from harness.cluster import ADMIN, ClusterNode, ProcessCluster, alive_of, process_cluster, until
from harness.command import palaver
from harness.process import serving_process

pytestmark = pytest.mark.timeout(300)


def ready(node: ClusterNode) -> str:
    with urllib.request.urlopen(f"{node.http}/readyz") as answer:
        return answer.read().decode()


def root_is_one(cluster: ProcessCluster) -> bool:
    return len({node.view()["root"] for node in cluster.alive}) == 1


def test_five_nodes_form_one_view_and_a_killed_one_is_out_of_reach_then_dead(tmp_path: Path) -> None:
    with process_cluster(tmp_path, "abcde") as cluster:
        until(lambda: root_is_one(cluster))
        victim = cluster.nodes["e"]
        victim.process.kill()
        victim.process.wait()
        for node in cluster.alive:
            until(lambda node=node: "dead" in node.seen(victim.node_id))
            assert node.seen(victim.node_id)[-2:] == ["unreachable", "dead"]
        until(cluster.settled)
        assert {ready(node) for node in cluster.alive} == {"ok\n"}


def test_a_stopped_process_is_back_when_it_goes_on(tmp_path: Path) -> None:
    with process_cluster(tmp_path, "abcd") as cluster:
        victim, others = cluster.nodes["d"], [cluster.nodes[name] for name in "abc"]
        before = {node.name: node.view()["incarnation"] for node in cluster.alive}
        victim.process.send_signal(signal.SIGSTOP)
        for node in others:
            until(lambda node=node: "unreachable" in node.seen(victim.node_id))
        victim.process.send_signal(signal.SIGCONT)
        until(cluster.settled)
        # It blames nobody for the time that it lost.
        for node in others:
            assert not {"unreachable", "dead"}.intersection(victim.seen(node.node_id))
            assert node.view()["incarnation"] == before[node.name]


def test_a_process_that_was_stopped_for_five_seconds_is_dead_to_nobody(tmp_path: Path) -> None:
    with process_cluster(tmp_path, "abcde") as cluster:
        victim = cluster.nodes["e"]
        victim.process.send_signal(signal.SIGSTOP)
        went_on = time.monotonic() + 5.0
        others = [cluster.nodes[name] for name in "abcd"]
        until(lambda: all("unreachable" in node.seen(victim.node_id) for node in others))
        until(lambda: time.monotonic() >= went_on)
        victim.process.send_signal(signal.SIGCONT)
        until(cluster.settled)
        for node in others:
            assert "dead" not in node.seen(victim.node_id)


def test_a_restart_with_its_disk_is_the_same_node_and_needs_no_seed(tmp_path: Path) -> None:
    with process_cluster(tmp_path, "abc") as cluster:
        old = cluster.nodes["c"]
        incarnation = old.view()["incarnation"]
        old.process.kill()
        old.process.wait()
        new = cluster.start("c", "--set", f"cluster.port={old.gossip.rpartition(':')[2]}", join=False)
        assert new.node_id == old.node_id
        until(cluster.settled)
        assert new.view()["incarnation"] > incarnation


def test_a_restart_without_its_disk_is_a_new_node(tmp_path: Path) -> None:
    with process_cluster(tmp_path, "abc") as cluster:
        old = cluster.nodes["c"]
        old.process.kill()
        old.process.wait()
        new = cluster.start("c", state="another-disk")
        assert new.node_id != old.node_id
        until(cluster.settled)
        for name in "ab":
            node = cluster.nodes[name]
            until(lambda node=node: "dead" in node.seen(old.node_id))


def test_a_rolling_restart_blames_nobody(tmp_path: Path) -> None:
    with process_cluster(tmp_path, "abcd") as cluster:
        for name in "bcd":
            old = cluster.nodes[name]
            old.process.terminate()
            assert old.running.ended()[0] == 0
            for node in cluster.alive:
                until(lambda node=node, name=name: node.statuses()[name] == "left")
            assert cluster.start(name).node_id == old.node_id
            until(cluster.settled)
        watcher = cluster.nodes["a"]
        for name in "bcd":
            until(lambda name=name: watcher.seen(cluster.nodes[name].node_id) == ["alive", "left", "alive"])


def test_a_node_whose_seeds_are_dead_serves_alone_says_so_and_goes_on_trying(tmp_path: Path) -> None:
    with process_cluster(tmp_path) as cluster:
        seed = cluster.start("a")
        port = seed.gossip.rpartition(":")[2]
        seed.process.kill()
        seed.process.wait()
        alone = cluster.start("b", "--join", f"127.0.0.1:{port}")
        assert ready(alone) == "ok: alone, trying seeds\n"
        until(lambda: any(event["kind"] == "alone" for event in alone.events()))
        assert ready(alone) == "ok: alone, trying seeds\n"
        cluster.start("a", "--set", f"cluster.port={port}", join=False)
        until(cluster.settled)
        until(lambda: ready(alone) == "ok\n")


def test_a_node_that_was_told_to_leave_is_left_and_goes_on_serving(tmp_path: Path) -> None:
    with process_cluster(tmp_path, "abc") as cluster:
        leaver = cluster.nodes["c"]
        assert leaver.post("/v1/cluster/leave")["acknowledged"] >= 1
        for name in "ab":
            node = cluster.nodes[name]
            until(lambda node=node: node.statuses()["c"] == "left")
        assert leaver.view()["state"] == "left"
        assert ready(leaver) == "ok\n"
        assert leaver.post("/v1/cluster/leave") == {"acknowledged": 0}


def test_an_unreachable_member_can_be_declared_dead_and_a_living_one_cannot(tmp_path: Path) -> None:
    with process_cluster(tmp_path, "abc") as cluster:
        node, other = cluster.nodes["a"], cluster.nodes["b"]
        path = f"/v1/cluster/members/{other.node_id}/force-leave"
        assert node.post(path)["status"] == "alive"
        assert alive_of(node) == {"a", "b", "c"}


def test_an_operator_has_a_member_that_does_not_answer_treated_as_dead(tmp_path: Path) -> None:
    """Half of eight are stopped: deaths are held, and that one is dead is the operator's word."""
    with process_cluster(tmp_path, "abcdefgh") as cluster:
        node = cluster.nodes["a"]
        stopped = [cluster.nodes[name] for name in "efgh"]
        for each in stopped:
            each.process.send_signal(signal.SIGSTOP)
        until(lambda: all("unreachable" in node.seen(each.node_id) for each in stopped))
        until(lambda: node.view()["partitionSuspected"])
        told = palaver("force-leave", "e", "--url", node.http, "--admin-token", ADMIN)
        assert "dead" in told
        for name in "abcd":
            until(lambda name=name: cluster.nodes[name].statuses()["e"] == "dead")
        for each in stopped[1:]:
            assert "dead" not in node.seen(each.node_id)
            each.process.send_signal(signal.SIGCONT)
        until(lambda: alive_of(node) == set("abcdfgh"))
        stopped[0].process.send_signal(signal.SIGCONT)
        until(cluster.settled)


def test_a_cluster_speaks_ipv6(tmp_path: Path) -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with process_cluster(tmp_path) as cluster:
        for name in "abc":
            node = cluster.start(name, "--set", "cluster.host=::1")
            assert node.gossip.startswith("[::1]:")
        until(cluster.settled)
        cluster.nodes["c"].process.kill()
        cluster.nodes["c"].process.wait()
        for name in "ab":
            node = cluster.nodes[name]
            until(lambda node=node: node.statuses()["c"] in ("unreachable", "dead"))


def test_the_metrics_and_the_members_show_the_vitals_of_all(tmp_path: Path) -> None:
    with process_cluster(tmp_path, "ab") as cluster:
        node = cluster.nodes["a"]
        member = node.get("/v1/cluster/members/b")
        assert member["status"] == "alive"
        assert (member["sessions"], member["draining"], member["self"]) == (0, False, False)
        cluster.nodes["b"].post("/v1/drain", {"deadlineS": 3600})
        until(lambda: node.get("/v1/cluster/members/b")["draining"])
        with urllib.request.urlopen(f"{node.http}/metrics") as answer:
            page = answer.read().decode()
        assert 'palaver_cluster_members{status="alive"} 2.0' in page
        assert "palaver_cluster_size 2.0" in page
        assert 'palaver_source_up{source="cluster"} 1.0' in page
        reports = node.get("/v1/cluster/diagnostics")["reports"]
        assert [report["subject"] for report in reports] == ["gossip activity", "failures", "heartbeats"]


def test_seeds_that_cannot_be_looked_up_are_named_and_the_node_says_that_it_is_alone(tmp_path: Path) -> None:
    absent = tmp_path / "seeds"
    with serving_process(tmp_path, "", "--join", f"file:{absent}", "--gossip-port", "0") as node:
        said = [
            f"{absent}: No such file or directory",
            "none of the seeds can be looked up; alone, trying again",
        ]
        until(lambda: [each["event"] for each in node.logs if each["level"] == "warning"] == said)
        with urllib.request.urlopen(f"{node.http}/readyz") as answer:
            assert answer.read() == b"ok: alone, trying seeds\n"
