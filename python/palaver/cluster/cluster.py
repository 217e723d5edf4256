"""Cluster: a set of nodes that run together in one process, for tests, teaching and embedding.

Real nodes have a driver of their own (palaver.cluster.member); here a round is a call, and nothing happens between rounds.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from palaver.core import ArgumentError, FanoutStrategy, GossipStrategy, ProductionNode

HOPS: Final = 16
"""Packets that answer packets end after so many: an indirect probe takes six, a sync three."""


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
        """Takes a node in; the others hear of it in the next rounds. Raises ArgumentError for an id that is here already."""
        if not isinstance(node, ProductionNode):
            raise ArgumentError(f"a cluster holds nodes, such as ProductionNode(name), not {node!r}")
        if node.node_id in self._nodes:
            raise ArgumentError(f"the cluster has a node {node.node_id} already")
        self._nodes[node.node_id] = node

    def remove_node(self, node: str | ProductionNode) -> ProductionNode:
        """Takes a node out, by its id or itself, without a goodbye, as a crash does; returns it.

        For a goodbye have it `update_status("left")` and let a round pass first. Raises ArgumentError for one that is not here.
        """
        node_id = node.node_id if isinstance(node, ProductionNode) else node
        try:
            return self._nodes.pop(node_id)
        except KeyError:
            raise ArgumentError(f"the cluster has no node {node_id}") from None

    def gossip_round(self, *, now: float | None = None) -> int:
        """Every node beats and gossips with `fanout` others; returns how many exchanges changed a view.

        Probes, answers and news among them are carried too, until nothing is under way. `now` is seconds of a monotonic
        clock, the same for all nodes; the system's where it is left out. Who has left says its goodbye and is passed over.
        """
        now = time.monotonic() if now is None else now
        for node in self._nodes.values():
            node.heartbeat(now=now)
        members = [node for node in self._nodes.values() if node.status == "alive"]
        changed = 0
        for node in members:
            others = [other for other in members if other is not node]
            for other in self._pick(others):
                changed += node.gossip_to(other, now=now)
        self._carry(now)
        return changed

    def print_all_memberships(self) -> None:
        """Prints what every node believes of every member."""
        for node in self._nodes.values():
            print(f"{node.name or 'a node'} ({node.node_id}), {node.status}, sees")
            node.print_membership()

    def _pick(self, others: list[ProductionNode]) -> list[ProductionNode]:
        if isinstance(self.strategy, FanoutStrategy):
            return self.strategy.select_targets(others, self.fanout)
        return self.strategy.select_peers(others, self.fanout)

    def _carry(self, now: float) -> None:
        """Delivers the packets of all to each other; what is for somebody who is not here is lost, as on any network."""
        at = {node.address: node for node in self._nodes.values()}
        for _ in range(HOPS):
            sent = [(node.address, packet) for node in at.values() for packet in node.send_gossip(now=now)]
            if not sent:
                return
            for sender, (address, payload, stream) in sent:
                if (receiver := at.get(address)) is not None:
                    receiver.receive_gossip(payload, sender, stream=stream, now=now)
