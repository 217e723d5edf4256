"""FaultProxy: stands before each node of a cluster and carries what others send to it, or not.

A node advertises its proxy's address, so everything to it comes through here. UDP only, senders told apart by their ports: there
is no listener for TCP, so streams are refused all the time, parted or not. What a partition does to both is held by
tests/integration/test_cluster_hosts.py, on hosts of their own.
"""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Collection
from contextlib import suppress

TOKEN = b"\0"


class FaultProxy:
    """Give each node `advertise(name)` before it starts, and call `attach` when it listens. End it with `close`."""

    def __init__(self) -> None:
        self._fronts: dict[str, socket.socket] = {}
        self._real: dict[str, tuple[str, int]] = {}
        self._names: dict[tuple[str, int], str] = {}
        self._sides: tuple[frozenset[str], ...] = ()
        self._deaf: frozenset[tuple[str, str]] = frozenset()
        self._selector = selectors.DefaultSelector()
        self._waker, waiting = socket.socketpair()
        self._selector.register(waiting, selectors.EVENT_READ, None)
        self._waiting = waiting
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="fault proxy", daemon=True)
        self._thread.start()

    def advertise(self, name: str) -> str:
        """`127.0.0.1:port` that the node shall tell others."""
        front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        front.bind(("127.0.0.1", 0))
        with self._lock:
            self._fronts[name] = front
            self._selector.register(front, selectors.EVENT_READ, name)
        self._waker.send(TOKEN)
        return f"127.0.0.1:{front.getsockname()[1]}"

    def attach(self, name: str, gossip: str) -> None:
        """Where the node really listens."""
        host, _, port = gossip.rpartition(":")
        with self._lock:
            self._real[name] = (host, int(port))
            self._names[(host, int(port))] = name

    def part(self, *sides: Collection[str]) -> None:
        """Only nodes of one side hear each other; without sides all do again."""
        with self._lock:
            self._sides = tuple(frozenset(side) for side in sides)

    def cut(self, senders: Collection[str] = (), receivers: Collection[str] = ()) -> None:
        """What these send to those is lost, the other direction is not; without names nothing is."""
        with self._lock:
            self._deaf = frozenset((sender, receiver) for sender in senders for receiver in receivers)

    def close(self) -> None:
        self._closed = True
        self._waker.send(TOKEN)
        self._thread.join()
        for each in (*self._fronts.values(), self._waker, self._waiting):
            each.close()
        self._selector.close()

    def _run(self) -> None:
        while not self._closed:
            for key, _ in self._selector.select():
                if key.data is None:
                    self._waiting.recv(64)
                else:
                    self._carry(key.data)

    def _carry(self, target: str) -> None:
        front = self._fronts[target]
        payload, source = front.recvfrom(65_536)
        with self._lock:
            sender, real = self._names.get(source), self._real.get(target)
            parted = self._sides and not any(sender in side and target in side for side in self._sides)
            parted = parted or (sender, target) in self._deaf
        if real is not None and sender is not None and not parted:
            with suppress(OSError):  # a node that is down: what is sent to it is lost, as it would be
                self._fronts[sender].sendto(payload, real)
