"""Clusters of real node processes on loopback, and what each of them believes."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from harness.process import NodeProcess, serving_process

ADMIN = "an-admin-token-for-tests-of-more-than-32-bytes"
PATIENCE = 60.0
"""Seconds until a test gives up: many times what a node on a machine at rest needs."""


class ClusterNode:
    """One process and its admin API."""

    def __init__(self, name: str, process: NodeProcess, where: Mapping[str, Any]) -> None:
        self.name = name
        self.process = process.process
        self.running = process
        self.http: str = where["http"]
        self.gossip: str = where["gossip"]
        self.node_id: str = where["nodeId"]

    def get(self, path: str) -> Any:
        return self._call(urllib.request.Request(self.http + path))

    def post(self, path: str, body: Any = None) -> Any:
        data = json.dumps(body or {}).encode()
        return self._call(urllib.request.Request(self.http + path, data=data, method="POST"))

    def _call(self, request: urllib.request.Request) -> Any:
        request.add_header("Authorization", f"Bearer {ADMIN}")
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def statuses(self) -> dict[str, str]:
        """Name of each member → what this node believes of it. For names that were never used twice."""
        return {one["name"]: one["status"] for one in self.members()}

    def standings(self) -> set[tuple[str, str]]:
        """(node id, status) of each member."""
        return {(one["nodeId"], one["status"]) for one in self.members()}

    def members(self) -> list[dict[str, Any]]:
        return self.get("/v1/cluster/members")["members"]

    def events(self) -> list[dict[str, Any]]:
        return self.get("/v1/cluster/events?limit=1000")["events"]

    def seen(self, member: str) -> list[str]:
        """What this node has learned of a member, in order."""
        kinds = ("alive", "unreachable", "dead", "left", "banned")
        return [
            event["kind"]
            for event in self.events()
            if event["kind"] in kinds and event["facts"]["member"] == member
        ]

    def view(self) -> dict[str, Any]:
        return self.get("/v1/cluster")


class ProcessCluster:
    """Starts nodes that join the first of them."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.directory = directory
        self._stack = stack
        self.nodes: dict[str, ClusterNode] = {}

    def start(
        self, name: str, *flags: str, join: bool = True, state: str | None = None, more: str = ""
    ) -> ClusterNode:
        """Starts one; the same `state` is the same disk, `more` is TOML. A node of that name must have ended."""
        others = [node for node in self.nodes.values() if node.name != name and node.process.poll() is None]
        seeds = ("--join", others[0].gossip) if join and others else ()
        directory = self.directory / (state or name)
        directory.mkdir(exist_ok=True)
        process = self._stack.enter_context(
            serving_process(
                directory,
                more,
                *("--set", "cluster.enabled=true", "--set", "cluster.port=0", "--set", f"node.name={name}"),
                *("--set", f"http.admin_token={ADMIN}", *seeds, *flags),
            )
        )
        node = self.nodes[name] = ClusterNode(name, process, process.where)
        return node

    def start_all(self, names: Iterable[str], at_once: int = 4) -> None:
        """Starts the first, then all others: each takes half a second to import what it needs."""
        first, *others = names
        self.start(first)
        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(self.start, others))

    @property
    def alive(self) -> list[ClusterNode]:
        return [node for node in self.nodes.values() if node.process.poll() is None]

    def settled(self) -> bool:
        """Whether all that run see exactly all that run as alive."""
        names = {node.name for node in self.alive}
        return all(alive_of(node) == names for node in self.alive)


def alive_of(node: ClusterNode) -> set[str]:
    return {one["name"] for one in node.members() if one["status"] == "alive"}


@contextmanager
def process_cluster(directory: Path, names: str = "") -> Iterator[ProcessCluster]:
    """A cluster of nodes with these one-letter names, settled."""
    with ExitStack() as stack:
        cluster = ProcessCluster(directory, stack)
        for name in names:
            cluster.start(name)
        if names:
            until(cluster.settled)
        yield cluster


def until(holds: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Asks until the answer is true, and returns it; nodes on other clocks cannot be waited for otherwise."""
    end, pause = time.monotonic() + patience, threading.Event()
    while not (answer := holds()):
        assert time.monotonic() < end, f"not within {patience:g} s: {holds}"
        pause.wait(0.1)
    return answer
