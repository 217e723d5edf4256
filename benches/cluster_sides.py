"""The two sides of compare_cluster: twenty palaver nodes, and twenty agents of Serf, each on hosts of its own."""

from __future__ import annotations

import base64
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from harness.cluster import until
from harness.host_cluster import HostCluster, host_cluster
from harness.host_network import HostNetwork
from palaver.bench.server_process import ServerProcess


class Side(Protocol):
    """A running cluster of one kind, on hosts 1 to n."""

    network: HostNetwork
    pids: dict[int, int]
    """Of the processes that live, by host."""

    def kill(self, host: int) -> float:
        """With SIGKILL. Returns when, in seconds of Unix time."""
        ...

    def learned(self, host: int) -> dict[str, list[float]]:
        """When each survivor came to believe what of that host: belief → Unix times. Waits until all have gone through all."""
        ...

    def gossip_cpu(self) -> float | None:
        """CPU seconds of the gossip alone, over all nodes; None where it is not told apart."""
        ...


class Palaver:
    """`palaver serve` as it is, without media: gateway, side port and cluster."""

    def __init__(self, cluster: HostCluster) -> None:
        self._cluster = cluster
        self.network = cluster.network
        self.pids = {host: node.process.pid for host, node in cluster.nodes.items()}

    def kill(self, host: int) -> float:
        process = self._cluster.nodes[host].process
        at = time.time()
        process.kill()
        process.wait()
        del self.pids[host]
        return at

    def learned(self, host: int) -> dict[str, list[float]]:
        gone = self._cluster.nodes[host].node_id
        found: dict[str, list[float]] = {"unreachable": [], "dead": []}
        for node in self._cluster.alive:
            times: dict[str, float] = {}

            def complete(node=node, times=times) -> bool:  # type: ignore[no-untyped-def]
                for event in node.events():
                    if event["facts"].get("member") == gone:
                        times[event["kind"]] = event["time"]
                return found.keys() <= times.keys()

            until(complete)
            for belief, at in found.items():
                at.append(times[belief])
        return found

    def gossip_cpu(self) -> float:
        return sum(
            node.get("/v1/cluster/diagnostics")["counters"]["cpu_seconds"] for node in self._cluster.alive
        )


class Serf:
    """`serf agent` with its profile for local networks and its encryption, the one that a cluster over a network wants."""

    def __init__(self, network: HostNetwork, hosts: Sequence[int], directory: Path) -> None:
        self.network = network
        self._lines: dict[int, list[tuple[float, str]]] = {}
        self._processes: dict[int, subprocess.Popen[str]] = {}
        key = base64.b64encode(os.urandom(32)).decode()
        for host in hosts:
            network.add(host)
            command = [
                *network.command(host),
                *("serf", "agent", f"-bind={network.address(host)}:7946", f"-node=host-{host}"),
                *(f"-encrypt={key}", "-profile=lan", f"-snapshot={directory / str(host)}"),
                *("-retry-interval=1s", f"-retry-join={network.address(1)}:7946"),
            ]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            self._processes[host] = process
            lines = self._lines[host] = []
            threading.Thread(target=_collect, args=(process, lines), daemon=True).start()
        self.pids = {host: process.pid for host, process in self._processes.items()}
        for host in hosts:
            until(
                lambda host=host: self._told(host, "EventMemberJoin").keys() >= {f"host-{n}" for n in hosts}
            )

    def kill(self, host: int) -> float:
        at = time.time()
        self._processes[host].kill()
        self._processes[host].wait()
        del self.pids[host]
        return at

    def learned(self, host: int) -> dict[str, list[float]]:
        name = f"host-{host}"
        return {
            "failed": [
                until(lambda other=other: self._told(other, "EventMemberFailed").get(name))
                for other in self.pids
            ]
        }

    def gossip_cpu(self) -> None:
        return None

    def close(self) -> None:
        for process in self._processes.values():
            process.kill()
            process.wait()

    def _told(self, host: int, event: str) -> dict[str, float]:
        """Member → when the agent's log first told this event of it."""
        found: dict[str, float] = {}
        for at, line in list(self._lines[host]):
            _, there, rest = line.partition(f"{event}: ")
            if there:
                found.setdefault(rest.split()[0], at)
        return found


def _collect(process: subprocess.Popen[str], lines: list[tuple[float, str]]) -> None:
    assert process.stdout is not None, "it was asked for"
    for line in process.stdout:
        lines.append((time.time(), line))
    process.stdout.close()


@contextmanager
def palaver_side(nodes: int) -> Iterator[Side]:
    with tempfile.TemporaryDirectory() as directory, host_cluster(Path(directory), nodes) as cluster:
        until(cluster.settled)
        yield Palaver(cluster)


@contextmanager
def serf_side(nodes: int) -> Iterator[Side]:
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        network = HostNetwork()
        stack.callback(network.close)
        side = Serf(network, range(1, nodes + 1), Path(directory))
        stack.callback(side.close)
        yield side


SIDES: dict[str, Callable[[int], AbstractContextManager[Side]]] = {"palaver": palaver_side, "serf": serf_side}


def cpu_seconds(side: Side) -> float:
    """Of all processes of a side, all threads."""
    return sum(ServerProcess(pid).cpu_seconds() or 0.0 for pid in side.pids.values())


def memory(side: Side) -> list[int]:
    """Resident bytes of each process."""
    return [ServerProcess(pid).memory() or 0 for pid in side.pids.values()]
