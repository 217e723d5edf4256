"""UdpTransport: datagrams between nodes over a UDP socket of the loop."""

from __future__ import annotations

import asyncio
import errno

from palaver.cluster.bootstrap import check_address
from palaver.cluster.transport import Inbox, TransportError


class UdpTransport:
    """A Transport (palaver.cluster.transport) over UDP. Make one with `open`; peers are told apart by their addresses."""

    def __init__(self, node_id: str, inbox: Inbox, socket: asyncio.DatagramTransport) -> None:
        self._node_id = node_id
        self.inbox = inbox
        self._socket = socket

    @classmethod
    async def open(cls, node_id: str, host: str = "127.0.0.1", port: int = 0) -> UdpTransport:
        """Binds; port 0 picks a free one. Raises TransportError where the address cannot be bound."""
        inbox = Inbox()
        loop = asyncio.get_running_loop()
        try:
            socket, _ = await loop.create_datagram_endpoint(lambda: _Receiver(inbox), local_addr=(host, port))
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            reason = "it is taken" if taken else error.strerror or str(error)
            raise TransportError(f"{host} port {port} cannot be bound: {reason}") from error
        return cls(node_id, inbox, socket)

    @property
    def node_id(self) -> str:
        return self._node_id

    @property
    def address(self) -> tuple[str, int]:
        """The host and the port that is really bound."""
        host, port = self._socket.get_extra_info("sockname")[:2]
        return host, port

    def add_peer(self, node_id: str, address: tuple[str, int]) -> None:
        """`address` holds an IP address, as datagrams do: names are for BootstrapConfig.

        Raises TransportError for what is none, for one of the other family than the socket's, and for one that another has.
        """
        try:
            check_address(address)
        except ValueError as error:
            raise TransportError(str(error)) from None
        if (":" in address[0]) != (":" in self.address[0]):
            raise TransportError(
                f"{address[0]} cannot be reached from {self.address[0]}: one is IPv4, one IPv6"
            )
        self.inbox.add(node_id, address)

    def remove_peer(self, node_id: str) -> None:
        self.inbox.remove(node_id)

    async def send(self, to_node_id: str, payload: bytes) -> None:
        address = self.inbox.address_for(to_node_id, payload)
        self._socket.sendto(payload, address)

    async def receive(self, from_node_id: str) -> bytes:
        return await self.inbox.get(from_node_id)

    async def close(self) -> None:
        self.inbox.close()
        self._socket.close()


class _Receiver(asyncio.DatagramProtocol):
    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._inbox.put(addr[:2], data)

    def error_received(self, exc: Exception) -> None:
        """A refused port on the other side (ICMP): datagrams may be lost, and this one was."""
