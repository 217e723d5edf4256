"""Transport: datagrams between nodes, told apart by who sent them.

What the application and tests send besides the engine, which has sockets of its own in a native thread. Datagrams may be
lost, doubled and reordered; a payload comes whole or not at all. Nothing is authenticated here: seal what matters
(PairwiseLinks) or sign it (GossipEnvelope).
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, Protocol

from palaver.errors import PalaverError

MAX_PAYLOAD: Final = 1_200
"""Bytes of one payload: below the smallest path MTU of IPv6, 1,280, less headers (RFC 8200 § 5)."""
QUEUE: Final = 1_024
"""Payloads of one node that wait to be received; then the oldest are lost."""


class TransportError(PalaverError):
    """Something cannot be sent or received, and was not."""


class Transport(Protocol):
    """Sends to and receives from nodes that have been added with `add_peer`."""

    @property
    def node_id(self) -> str:
        """Who sends."""

    def add_peer(self, node_id: str, address: tuple[str, int]) -> None:
        """Makes a node known, or known under another address."""

    def remove_peer(self, node_id: str) -> None:
        """Forgets a node and what waits from it; whoever waits for it gets TransportError."""

    async def send(self, to_node_id: str, payload: bytes) -> None:
        """Sends one payload. Raises TransportError: unknown node, not 1 to MAX_PAYLOAD bytes, or closed."""

    async def receive(self, from_node_id: str) -> bytes:
        """Waits for the next payload of a node, in the order in which they came. Raises TransportError as `send`."""

    async def close(self) -> None:
        """Ends it; safe to call twice."""


class Inbox:
    """The peers, and what came from each and waits: one bounded queue for each. Belongs to one loop."""

    def __init__(self, bound: int = QUEUE) -> None:
        self._bound = bound
        self._waiting: dict[str, deque[bytes]] = {}
        self._arrived: dict[str, asyncio.Event] = {}
        self._closed = False
        self._addresses: dict[str, tuple[str, int]] = {}
        self._names: dict[tuple[str, int], str] = {}
        self.strangers = 0
        """Payloads from nobody known, which were dropped."""
        self.overflowed = 0
        """Payloads that were lost because nobody received them in time."""

    def add(self, node_id: str, address: tuple[str, int]) -> None:
        if (known := self._names.get(address, node_id)) != node_id:
            raise TransportError(f"{address} is the address of {known!r}")
        if (before := self._addresses.get(node_id)) is not None:
            del self._names[before]
        self._addresses[node_id], self._names[address] = address, node_id
        if node_id not in self._waiting:
            self._waiting[node_id] = deque()
            self._arrived[node_id] = asyncio.Event()

    def remove(self, node_id: str) -> None:
        if (address := self._addresses.pop(node_id, None)) is not None:
            del self._names[address]
        self._waiting.pop(node_id, None)
        if (arrived := self._arrived.pop(node_id, None)) is not None:
            arrived.set()

    def put(self, source: tuple[str, int], payload: bytes) -> None:
        """Queues what a known node sent."""
        node_id = self._names.get(source)
        if self._closed or node_id is None:
            self.strangers += node_id is None
            return
        queue = self._waiting[node_id]
        if len(queue) >= self._bound:
            queue.popleft()
            self.overflowed += 1
        queue.append(payload)
        self._arrived[node_id].set()

    async def get(self, node_id: str) -> bytes:
        while True:
            self._check(node_id)
            queue, arrived = self._waiting[node_id], self._arrived[node_id]
            if queue:
                return queue.popleft()
            arrived.clear()
            await arrived.wait()

    def address_for(self, node_id: str, payload: bytes) -> tuple[str, int]:
        """Where a payload for a node goes. Raises TransportError for what no transport carries."""
        self._check(node_id)
        if not 1 <= len(payload) <= MAX_PAYLOAD:  # asyncio sends no empty datagrams
            raise TransportError(f"a payload has 1 to {MAX_PAYLOAD} bytes, not {len(payload)}")
        return self._addresses[node_id]

    def _check(self, node_id: str) -> None:
        if self._closed:
            raise TransportError("the transport is closed")
        if node_id not in self._waiting:
            raise TransportError(f"{node_id!r} is no peer: add_peer makes it one")

    def close(self) -> None:
        self._closed = True
        for arrived in self._arrived.values():
            arrived.set()
