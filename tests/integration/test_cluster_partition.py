"""A cluster of processes behind a proxy that parts it: two halves, and one view again without an operator."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cluster import ProcessCluster, alive_of, process_cluster, until
from harness.fault_proxy import FaultProxy

pytestmark = pytest.mark.timeout(300)


def start(cluster: ProcessCluster, proxy: FaultProxy, name: str, seed: str | None) -> str:
    advertised = proxy.advertise(name)
    seeds = () if seed is None else ("--join", seed)
    node = cluster.start(name, "--set", f"cluster.advertise={advertised}", *seeds, join=False)
    proxy.attach(name, node.gossip)
    return advertised


def test_one_that_is_not_heard_is_out_of_reach_and_takes_nobody_with_it(tmp_path: Path) -> None:
    proxy = FaultProxy()
    try:
        with process_cluster(tmp_path) as cluster:
            seed = start(cluster, proxy, "a", None)
            for name in "bcd":
                start(cluster, proxy, name, seed)
            until(cluster.settled)
            proxy.cut("d", "abc")
            hearing = [cluster.nodes[name] for name in "abc"]
            until(lambda: all(node.statuses()["d"] in ("unreachable", "dead") for node in hearing))
            for node in hearing:
                assert {node.statuses()[name] for name in "abc"} == {"alive"}
            # It hears the others, and none of its probes is answered: it may avoid them, but has no quorum to say more.
            assert {cluster.nodes["d"].statuses()[name] for name in "abc"} == {"alive"}
            proxy.cut()
            until(lambda: cluster.settled() and len({node.view()["root"] for node in cluster.alive}) == 1)
            healthy = {cluster.nodes[name].node_id for name in "abc"}
            for node in cluster.alive:
                blamed = {
                    event["facts"]["member"]
                    for event in node.events()
                    if event["kind"] in ("unreachable", "dead")
                }
                assert not blamed & healthy
    finally:
        proxy.close()


def test_a_partition_heals_by_itself_and_nobody_is_declared_dead(tmp_path: Path) -> None:
    proxy = FaultProxy()
    try:
        with process_cluster(tmp_path) as cluster:
            seed = start(cluster, proxy, "a", None)
            for name in "bcd":
                start(cluster, proxy, name, seed)
            until(cluster.settled)
            proxy.part("ab", "cd")
            # Nobody is believed to be well on the other side: unreachable, or at least suspected by this node.
            for name, other in (("a", "cd"), ("b", "cd"), ("c", "ab"), ("d", "ab")):
                node = cluster.nodes[name]

                def misses(node=node, other=other) -> bool:  # type: ignore[no-untyped-def]
                    lost = {m["name"] for m in node.members() if m["suspected"] or m["status"] != "alive"}
                    return lost >= set(other)

                until(misses)
            proxy.part()
            until(lambda: cluster.settled() and len({node.view()["root"] for node in cluster.alive}) == 1)
            assert all(alive_of(node) == set("abcd") for node in cluster.alive)
            assert not any(event["kind"] == "dead" for node in cluster.alive for event in node.events())
    finally:
        proxy.close()
