"""HostCluster: node processes on hosts of their own, let in by an authority, and asked past the network between them."""

from __future__ import annotations

import http.client
import json
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from harness.cluster import ADMIN, ClusterNode
from harness.host_network import HostNetwork
from harness.process import NodeProcess, serving_process
from palaver.cluster.authority import Authority

LIFE_SECONDS = 3_600
LIGHT = ("--set", "media.embedded=false", "--set", "cluster.port=7882")


class HostNode(ClusterNode):
    """A node whose admin API is on its own host's loopback."""

    def __init__(self, host: int, process: NodeProcess, network: HostNetwork) -> None:
        super().__init__(f"host-{host}", process, process.where)
        self.host = host
        self._network = network
        self._port = int(urlsplit(self.http).port or 0)

    def get(self, path: str) -> Any:
        return self._ask("GET", path, b"")

    def post(self, path: str, body: Any = None) -> Any:
        return self._ask("POST", path, json.dumps(body or {}).encode())

    def _ask(self, method: str, path: str, body: bytes) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._port)
        connection.sock = self._network.connect(self.host, self._port)
        try:
            headers = {"Authorization": f"Bearer {ADMIN}", "Content-Type": "application/json"}
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            told = answer.read()
            assert answer.status == 200, told
            return json.loads(told)
        finally:
            connection.close()


class HostCluster:
    """Nodes by host number; all greet host 1 at first, and host 1 greets host 2."""

    def __init__(self, directory: Path, network: HostNetwork, stack: ExitStack) -> None:
        self.directory = directory
        self.network = network
        self._stack = stack
        self._authority = Authority.create(directory / "authority", "hosts")
        self.nodes: dict[int, HostNode] = {}

    def start(self, host: int, disk: str = "disk") -> HostNode:
        """Starts a node there; the same `disk` makes it the same node. That host's last node must have ended."""
        self.prepare(host, disk)
        return self.launch(host, disk)

    def start_all(self, hosts: Sequence[int]) -> None:
        """Several at once: each takes half a second to import what it needs."""
        for host in hosts:
            self.network.add(host)
            self.prepare(host)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self.launch, hosts))

    def prepare(self, host: int, disk: str = "disk") -> None:
        """Makes the node's directory, with an invitation in it."""
        directory = self._directory(host, disk)
        if directory.exists():
            return
        directory.mkdir()
        seed = self.network.address(2 if host == 1 else 1)
        invitation = self._authority.invite(
            name=f"host-{host}", ttl_seconds=LIFE_SECONDS, seeds=[f"{seed}:7882"]
        )
        (directory / "invitation").write_text(invitation.token())

    def launch(self, host: int, disk: str = "disk") -> HostNode:
        directory = self._directory(host, disk)
        process = self._stack.enter_context(
            serving_process(
                directory,
                "",
                *LIGHT,
                *("--set", "cluster.enabled=true", "--set", f"cluster.host={self.network.address(host)}"),
                *("--set", f"cluster.invitation=file:{directory / 'invitation'}"),
                *("--set", f"node.name=host-{host}", "--set", f"http.admin_token={ADMIN}"),
                before=self.network.command(host),
            )
        )
        node = self.nodes[host] = HostNode(host, process, self.network)
        return node

    @property
    def alive(self) -> list[HostNode]:
        return [node for node in self.nodes.values() if node.process.poll() is None]

    def others(self, *but: HostNode) -> list[HostNode]:
        return [node for node in self.alive if node not in but]

    def settled(self, but: Collection[int] = ()) -> bool:
        """Whether all that run see exactly all that run as alive, and agree on everything else too.

        The hosts in `but` need not be seen as alive: flap damping may keep them out of a view that knows them well.
        """
        nodes = {node.node_id for node in self.alive}
        expected = {node.node_id for node in self.alive if node.host not in but}
        return (
            all(expected <= alive_ids(node) <= nodes for node in self.alive)
            and len({node.view()["root"] for node in self.alive}) == 1
        )

    def _directory(self, host: int, disk: str) -> Path:
        return self.directory / f"{host}-{disk}"


def alive_ids(node: ClusterNode) -> set[str]:
    return {one["nodeId"] for one in node.members() if one["status"] == "alive"}


@contextmanager
def host_cluster(directory: Path, hosts: int) -> Iterator[HostCluster]:
    """A cluster on hosts 1 to `hosts`, while the block runs."""
    with ExitStack() as stack:
        network = HostNetwork()
        stack.callback(network.close)
        cluster = HostCluster(directory, network, stack)
        cluster.start_all(range(1, hosts + 1))
        yield cluster
