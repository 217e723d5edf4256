"""ClusterManager: who comes, who goes, and what all are told."""

from __future__ import annotations

from palaver.cluster.bootstrap import MAX_SEEDS, Address, check_address
from palaver.core import ArgumentError, ClusterDriver
from palaver.settings.dev import url_host


class ClusterManager:
    """The membership life cycle of one node, upon its driver. What waits for others blocks: call `leave` in a thread."""

    def __init__(self, driver: ClusterDriver, node_id: str) -> None:
        self._driver = driver
        self._node_id = node_id
        self._seeds: tuple[Address, ...] = ()

    @property
    def seeds(self) -> tuple[Address, ...]:
        """Whom the node greets until one answers, and later whenever it is alone."""
        return self._seeds

    def join(self, *nodes: Address) -> bool:
        """Greets these addresses from now on, in place of those before. Whether that changed anything.

        Raises ArgumentError for more than 64, and for what is no pair of an IP address and a port: names are for
        BootstrapConfig.
        """
        for node in nodes:
            try:
                check_address(node)
            except ValueError as error:
                raise ArgumentError(str(error)) from None
        if len(nodes) > MAX_SEEDS:
            raise ArgumentError(f"a node greets at most {MAX_SEEDS} seeds, not {len(nodes)}")
        if nodes == self._seeds:
            return False
        self._driver.join([shown(each) for each in nodes])
        self._seeds = nodes
        return True

    def leave(self, node_id: str | None = None, *, timeout: float = 5.0) -> bool:
        """Says goodbye for this node, or has one that is unreachable treated as dead now.

        Returns whether it is over: the goodbye acknowledged within `timeout` seconds, or the other one dead. Nothing
        happens to another one that still answers. Raises ArgumentError for one that is unknown.
        """
        if node_id is None or node_id == self._node_id:
            return self._driver.leave(timeout)
        if self._driver.status(node_id) is None:
            raise ArgumentError(f"there is no member {node_id}")
        self._driver.force_leave(node_id)
        return self._driver.status(node_id) not in ("alive", "suspect", "unreachable")

    def broadcast_change(self, change: bytes, *, urgent: bool = False) -> None:
        """Tells every member, each once: at most 850 bytes. `urgent` ones, such as revocations, go before others."""
        self._driver.broadcast(change, urgent=urgent)


def shown(address: Address) -> str:
    """`host:port`, an IPv6 address in brackets."""
    host, port = address
    return f"{url_host(host)}:{port}"
