"""Cluster: a set of nodes that run together in one process, for tests, teaching and embedding.

Real nodes have a driver of their own (palaver.cluster.member); here a round is a call, and nothing happens between rounds.
"""

from __future__ import annotations

from collections.abc import Mapping

from palaver.core import ArgumentError, FanoutStrategy, GossipStrategy, ProductionNode


class Cluster:
    """Nodes by id, and the strategy that picks whom each gossips with."""

    def __init__(self, strategy: GossipStrategy | FanoutStrategy | None = None, *, fanout: int = 1) -> None:
        """`fanout` is how many peers each node gossips with in a round, from 1. Raises ArgumentError."""
        if fanout < 1:
            raise ArgumentError(f"the fanout is 1 or more, not {fanout}")
        self.strategy = strategy or GossipStrategy()
        self.fanout = fanout
        self._nodes: dict[str, ProductionNode] = {}

    @property
    def nodes(self) -> Mapping[str, ProductionNode]:
        """Node id → node, in the order in which they came."""
        return self._nodes

    def add_node(self, node: ProductionNode) -> None:
        """Raises ArgumentError for an id that is here already."""
        if node.node_id in self._nodes:
            raise ArgumentError(f"the cluster has a node {node.node_id} already")
        self._nodes[node.node_id] = node

    def remove_node(self, node_id: str) -> ProductionNode:
        """Takes a node out without a goodbye, as a crash does; returns it. Raises ArgumentError for one that is not here."""
        try:
            return self._nodes.pop(node_id)
        except KeyError:
            raise ArgumentError(f"the cluster has no node {node_id}") from None

    def gossip_round(self, *, now: float | None = None) -> int:
        """Every node beats and gossips with `fanout` others; returns how many exchanges changed a view.

        `now` is seconds of a monotonic clock, the same for all nodes; the system's where it is left out.
        """
        changed = 0
        for node in list(self._nodes.values()):
            node.heartbeat(now=now)
            others = [other for other in self._nodes.values() if other is not node]
            for other in self._pick(others):
                changed += node.gossip_to(other, now=now)
        return changed

    def print_all_memberships(self) -> None:
        """Prints what every node believes of every member."""
        for node in self._nodes.values():
            node.print_membership()

    def _pick(self, others: list[ProductionNode]) -> list[ProductionNode]:
        if isinstance(self.strategy, FanoutStrategy):
            return self.strategy.select_targets(others, self.fanout)
        return self.strategy.select_peers(others, self.fanout)
