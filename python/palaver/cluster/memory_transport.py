"""MemoryTransport: datagrams between nodes of one process, for tests and embedding."""

from __future__ import annotations

from palaver.cluster.transport import Inbox


class MemoryNetwork:
    """Carries payloads between the transports made upon it; nothing is lost but to those that are not there."""

    def __init__(self) -> None:
        self._inboxes: dict[tuple[str, int], Inbox] = {}

    def transport(self, node_id: str) -> MemoryTransport:
        """A transport with an address of its own."""
        address = ("memory", len(self._inboxes) + 1)
        inbox = self._inboxes[address] = Inbox()
        return MemoryTransport(node_id, address, inbox, self)

    def deliver(self, source: tuple[str, int], target: tuple[str, int], payload: bytes) -> None:
        if (inbox := self._inboxes.get(target)) is not None:
            inbox.put(source, payload)


class MemoryTransport:
    """A Transport (palaver.cluster.transport) upon a MemoryNetwork."""

    def __init__(self, node_id: str, address: tuple[str, int], inbox: Inbox, network: MemoryNetwork) -> None:
        self._node_id = node_id
        self.address = address
        self.inbox = inbox
        self._network = network

    @property
    def node_id(self) -> str:
        return self._node_id

    def add_peer(self, node_id: str, address: tuple[str, int]) -> None:
        self.inbox.add(node_id, address)

    def remove_peer(self, node_id: str) -> None:
        self.inbox.remove(node_id)

    async def send(self, to_node_id: str, payload: bytes) -> None:
        self._network.deliver(self.address, self.inbox.address_for(to_node_id, payload), bytes(payload))

    async def receive(self, from_node_id: str) -> bytes:
        return await self.inbox.get(from_node_id)

    async def close(self) -> None:
        self.inbox.close()
