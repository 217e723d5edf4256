"""Who may join: tickets, rotation and bans among running nodes, told through the command line."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from harness.cluster import ADMIN, ProcessCluster, process_cluster, until
from harness.command import palaver

pytestmark = pytest.mark.timeout(300)


def invited(cluster: ProcessCluster, name: str, authority: Path, *seeds: str) -> Any:
    flags = [part for seed in seeds for part in ("--seed", seed)]
    token = palaver("cluster", "invite", "--name", name, "--authority", str(authority), *flags).strip()
    file = cluster.directory / f"{name}.token"
    file.write_text(token)
    return cluster.start(name, "--set", f"cluster.invitation=file:{file}", join=False)


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    directory = tmp_path / "authority"
    palaver("cluster", "init", "--name", "test", "--authority", str(directory))
    return directory


def test_invited_nodes_find_each_other_and_others_do_not_get_in(tmp_path: Path, authority: Path) -> None:
    with process_cluster(tmp_path) as cluster:
        first = invited(cluster, "a", authority)
        invited(cluster, "b", authority, first.gossip)
        until(cluster.settled)
        stranger_authority = tmp_path / "stranger"
        palaver("cluster", "init", "--name", "test", "--authority", str(stranger_authority))
        stranger = invited(cluster, "x", stranger_authority, first.gossip)
        until(lambda: any(event["kind"] == "refused" for event in first.events()))
        assert set(first.statuses()) == {"a", "b"}
        assert set(stranger.statuses()) == {"x"}


def test_keys_change_and_a_node_is_banned_without_a_restart(tmp_path: Path, authority: Path) -> None:
    with process_cluster(tmp_path) as cluster:
        first = invited(cluster, "a", authority)
        second = invited(cluster, "b", authority, first.gossip)
        third = invited(cluster, "c", authority, first.gossip)
        until(cluster.settled)
        asked = ("--authority", str(authority), "--url", first.http, "--admin-token", ADMIN)
        old = json.loads(palaver("cluster", "keys", "list", "--json", "--authority", str(authority)))["keys"][
            0
        ]
        new = json.loads(palaver("cluster", "keys", "rotate", "--json", *asked))
        assert new["serial"] == 2
        for node in (first, second, third):
            until(lambda node=node: sum(event["kind"] == "credentials" for event in node.events()) == 2)
        palaver("cluster", "keys", "revoke", old["id"], *asked)
        for node in (first, second, third):
            until(lambda node=node: sum(event["kind"] == "credentials" for event in node.events()) == 3)
        # A ticket of the new key gets in everywhere.
        fourth = invited(cluster, "d", authority, second.gossip)
        until(cluster.settled)
        palaver("cluster", "keys", "revoke", fourth.node_id, *asked)
        for node in (first, second, third):
            # By its id: the name of who is banned is forgotten with its record.
            until(lambda node=node: (fourth.node_id, "banned") in node.standings())
        # And so it learns itself, of the authority's signature, and blames nobody.
        until(lambda: fourth.view()["state"] == "banned")
        assert fourth.members() == []
        assert [event["facts"]["why"] for event in fourth.events() if event["kind"] == "stopped"] == [
            "banned"
        ]
        ready = urllib.request.urlopen(f"{fourth.http}/readyz").read().decode()
        assert "banned from its cluster" in ready
        listed = json.loads(palaver("cluster", "keys", "list", "--json", "--authority", str(authority)))
        assert [key["state"] for key in listed["keys"]] == ["active", "revoked"]
        assert [node["banned"] for node in listed["nodes"] if node["name"] == "d"] == [True]


def test_a_list_of_keys_lets_in_whom_it_names(tmp_path: Path) -> None:
    public = {}
    for name in "ab":
        state = tmp_path / name / "state"
        public[name] = palaver("cluster", "id", "--state-dir", str(state)).strip()
    keys = ("--set", "cluster.admission=keys", "--set", f"cluster.keys={public['a']},{public['b']}")
    with process_cluster(tmp_path) as cluster:
        first = cluster.start("a", *keys)
        cluster.start("b", *keys)
        until(cluster.settled)
        cluster.start("x")
        until(lambda: any(event["kind"] == "refused" for event in first.events()))
        assert set(first.statuses()) == {"a", "b"}


def test_without_admission_nothing_but_loopback_is_bound(tmp_path: Path) -> None:
    told = palaver(
        *("dev", "--set", "cluster.host=0.0.0.0", "--set", "cluster.advertise=192.0.2.1"),
        *("--state-dir", str(tmp_path)),
        code=2,
    )
    assert "is not loopback, and cluster.admission is open: anybody could join" in told
