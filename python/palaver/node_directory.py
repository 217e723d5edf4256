"""Who owns a room: the node itself, or the one of several workers that the room's name says."""

from __future__ import annotations

from palaver.core import rendezvous
from palaver.settings import GatewaySettings, Worker


class SingleNodeDirectory:
    """The RoomDirectory of a node without a cluster: every room is its own.

    Epochs begin at the microseconds since the Unix epoch at which the node started, and rooms are opened more slowly
    than those pass: so they rise over restarts, too, without anything to be kept. Below 2**53 until the year 2255.
    """

    def __init__(self, node: str, started: float) -> None:
        """`started` is seconds since the Unix epoch."""
        self._node = node
        self._epoch = int(started * 1e6)

    def owner(self, room: str) -> tuple[str, int]:
        return self._node, self._epoch

    def elsewhere(self, room: str, host: str) -> str | None:
        return None

    def addresses(self, host: str) -> list[str]:
        """All URLs that `elsewhere` may name."""
        return []

    def side_port_elsewhere(self, room: str) -> int | None:
        """The side port of the worker that owns a room; None: it is our own."""
        return None


class WorkerDirectory(SingleNodeDirectory):
    """That of one worker: a rendezvous hash over the numbers of all, dead or alive.

    The owner of a room never changes while the number of workers does not, so two workers cannot both have it. One that died is
    back soon; until then its rooms wait for it.
    """

    def __init__(self, node: str, started: float, worker: Worker, gateway: GatewaySettings) -> None:
        super().__init__(node, started)
        self._self = _id(worker.number)
        self._side_ports = {_id(number): port for number, port in enumerate(worker.side_ports, 1)}
        self._ports = {_id(number): port for number, port in enumerate(worker.own_ports, 1)}
        self._weights = dict.fromkeys(self._ports, 1)
        self._scheme = "wss" if gateway.tls_certificate else "ws"
        self._path = gateway.path
        self._url = gateway.worker_url

    def elsewhere(self, room: str, host: str) -> str | None:
        owner = rendezvous(room, self._weights)[0]
        if owner == self._self:
            return None
        return self._address(owner, host)

    def side_port_elsewhere(self, room: str) -> int | None:
        owner = rendezvous(room, self._weights)[0]
        return None if owner == self._self else self._side_ports[owner]

    def addresses(self, host: str) -> list[str]:
        return [self._address(owner, host) for owner in self._ports]

    def _address(self, owner: str, host: str) -> str:
        port = self._ports[owner]
        if self._url:
            return self._url.replace("{worker}", str(int(owner, 16))).replace("{port}", str(port))
        return f"{self._scheme}://{host}:{port}{self._path}"


def _id(number: int) -> str:
    """A worker's number in the form of a node id."""
    return f"{number:032x}"
