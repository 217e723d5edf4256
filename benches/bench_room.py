"""A room whose clients only count what they are given: the plane without sockets, for the benchmarks."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

import msgspec

from harness.plane import Stage
from harness.settings import node_settings
from palaver.signaling.ports import Connection

RATE: Final = 10_000_000
UNLIMITED: Final = node_settings(
    limits={
        "requests_per_second": RATE,
        "request_burst": RATE,
        "candidates_per_second": RATE,
        "candidate_burst": RATE,
        "stats_per_second": RATE,
        "told_bytes_per_second": 2**40,
        "told_burst_bytes": 2**40,
    }
)
SDP: Final = "v=0\r\n" + "".join(f"a=line{n:02}:{'x' * 20}\r\n" for n in range(65))
"""2 KB with 66 line ends."""
CANDIDATE: Final = {
    "candidate": "candidate:1 1 udp 2130706431 192.0.2.1 54321 typ host ufrag abcd",
    "sdpMid": "0",
}


class Sink:
    """A connection that counts what it is given."""

    def __init__(self, id: int, binary: bool) -> None:
        self.id = id
        self.address = "127.0.0.1"
        self.host = ""
        self.is_slow = False
        self.is_open = True
        self.bearer: str | None = None
        self.binary = binary
        self.authenticated = False
        self.sent = 0
        self.last = b""

    def send(self, message: bytes, droppable: bool = False) -> bool:
        self.sent += 1
        self.last = message
        return True

    def send_frame(self, frame: bytes, droppable: bool = False, count: int = 1) -> bool:
        self.sent += 1
        self.last = frame
        return True

    def close(self, code: int, reason: str = "") -> None:
        if code != 1000:
            raise AssertionError(f"closed with {code} {reason}")


class Room:
    """A stage with so many clients in one room."""

    def __init__(self, size: int, binary: bool = False) -> None:
        self.stage = Stage(UNLIMITED)
        self.messages = self.stage.plane.messages
        self.sinks: list[Sink] = []
        self.peers: list[str] = []
        self.codec = msgspec.msgpack if binary else msgspec.json
        self._binary = binary
        self._connections = 0
        for number in range(size):
            self.enter(f"user{number}")

    def connect(self) -> Sink:
        self._connections += 1
        sink = Sink(self._connections, self._binary)
        self.messages.connected(sink)
        return sink

    def enter(self, identity: str) -> Sink:
        sink = self.connect()
        self.sinks.append(sink)
        reply = self.call(sink, "join", room="room", token=self.stage.token(identity, role="owner"))
        self.peers.append(reply["result"]["you"]["peer"])
        return sink

    def message(self, method: str, **params: Any) -> bytes:
        request = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
        if self._binary:
            return msgspec.msgpack.encode(request)
        return json.dumps(request, separators=(",", ":")).encode()

    def call(self, sink: Sink, method: str, **params: Any) -> Any:
        sink.last = b""
        self.messages.received(sink, self.message(method, **params))
        reply = self.codec.decode(sink.last)
        assert "result" in reply, reply
        return reply

    def receiver(self, sink: Connection, message: bytes) -> Callable[[], None]:
        received = self.messages.received
        return lambda: received(sink, message)
