"""What the nodes of a cluster come to believe of each other from some moment on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.cluster import ClusterNode, until


class Since:
    """What nodes learn from now on."""

    def __init__(self, nodes: Iterable[ClusterNode]) -> None:
        self._last = {node.process.pid: node.events()[-1]["number"] for node in nodes}

    def learned(self, node: ClusterNode, about: ClusterNode) -> list[str]:
        """What `node` came to believe of another, in order."""
        kinds = ("alive", "unreachable", "dead", "left", "banned")
        return [
            event["kind"]
            for event in node.events()
            if event["number"] > self._last.get(node.process.pid, 0)
            and event["kind"] in kinds
            and event["facts"]["member"] == about.node_id
        ]


PATIENCE = 180.0
"""Seconds: a host that hears little goes on refuting for up to a minute before all have seen it out."""


def all_learn(since: Since, nodes: Iterable[ClusterNode], about: ClusterNode, belief: str) -> None:
    for node in nodes:
        until(lambda node=node: belief in since.learned(node, about), PATIENCE)


def nobody_blames(since: Since, nodes: Sequence[ClusterNode]) -> None:
    """None of these came to take another of them for gone."""
    for node in nodes:
        for other in nodes:
            if other is not node:
                assert not {"unreachable", "dead"}.intersection(since.learned(node, other))
