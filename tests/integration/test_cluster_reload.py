"""SIGHUP in a cluster: keys and authorities come and go without a restart."""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.cluster import ClusterNode, ProcessCluster, alive_of, process_cluster, until
from harness.command import palaver
from harness.process import write_settings

pytestmark = pytest.mark.timeout(300)


def listed(name: str, keys: Sequence[str], more: str = "") -> str:
    return f"[cluster]\n{more}{name} = {json.dumps(list(keys))}\n"


def reload(cluster: ProcessCluster, node: ClusterNode, text: str) -> None:
    """Rewrites a node's settings, sends SIGHUP and waits until they are in force."""
    before = len([entry for entry in node.running.logs if entry["event"] == "settings reloaded"])
    write_settings(cluster.directory / node.name, text)
    node.process.send_signal(signal.SIGHUP)

    def reloaded() -> bool:
        entries = [entry for entry in node.running.logs if entry["event"] == "settings reloaded"]
        return len(entries) == before + 1

    until(reloaded)


def refused(node: ClusterNode, other: str) -> bool:
    return any(event["kind"] == "refused" and event["facts"]["member"] == other for event in node.events())


def test_a_key_on_the_list_lets_in_and_one_that_is_gone_keeps_out(tmp_path: Path) -> None:
    by_keys = 'admission = "keys"\n'
    public = {
        name: palaver("cluster", "id", "--state-dir", str(tmp_path / name / "state")).strip() for name in "ab"
    }
    with process_cluster(tmp_path) as cluster:
        first = cluster.start("a", more=listed("keys", [public["a"]], by_keys))
        second = cluster.start("b", more=listed("keys", public.values(), by_keys))
        until(lambda: refused(first, second.node_id))
        assert alive_of(first) == {"a"}
        reload(cluster, first, listed("keys", public.values(), by_keys))
        until(cluster.settled)
        reload(cluster, first, listed("keys", [public["a"]], by_keys))
        second.process.kill()
        second.process.wait()
        again = cluster.start("b", more=listed("keys", public.values(), by_keys))
        assert again.node_id == second.node_id
        until(lambda: any(event["kind"] == "alone" for event in again.events()))
        until(lambda: "unreachable" in first.seen(again.node_id))
        # One observer alone waits 50 s until it calls a member dead; of one that was let in this would change nothing.
        assert first.post(f"/v1/cluster/members/{again.node_id}/force-leave")["status"] == "dead"
        assert alive_of(first) == {"a"}


def test_an_authority_on_the_list_lets_in_and_one_that_is_gone_keeps_out(tmp_path: Path) -> None:
    keys: dict[str, str] = {}
    for name in ("ours", "theirs"):
        palaver("cluster", "init", "--name", "test", "--authority", str(tmp_path / name))
        told = json.loads(palaver("cluster", "keys", "list", "--json", "--authority", str(tmp_path / name)))
        keys[name] = told["keys"][0]["publicKey"]

    def invited(cluster: ProcessCluster, name: str, authority: str, *seeds: str) -> ClusterNode:
        flags = [part for seed in seeds for part in ("--seed", seed)]
        token = palaver(
            *("cluster", "invite", "--name", name, "--authority", str(tmp_path / authority)), *flags
        )
        file = tmp_path / f"{name}.token"
        file.write_text(token.strip())
        both = listed("authorities", keys.values())
        return cluster.start(name, "--set", f"cluster.invitation=file:{file}", join=False, more=both)

    with process_cluster(tmp_path) as cluster:
        first = invited(cluster, "a", "ours")
        reload(cluster, first, listed("authorities", []))
        second = invited(cluster, "b", "theirs", first.gossip)
        until(lambda: refused(first, second.node_id))
        assert alive_of(first) == {"a"}
        reload(cluster, first, listed("authorities", [keys["theirs"]]))
        until(cluster.settled)
        reload(cluster, first, listed("authorities", []))
        third = invited(cluster, "c", "theirs", first.gossip)
        until(lambda: any(event["kind"] == "alone" for event in third.events()))
        assert alive_of(first) == {"a", "b"}
