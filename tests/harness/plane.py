"""The signaling plane without sockets: time stands still until told, and every client is a list of what it was sent."""

from __future__ import annotations

import random
from collections.abc import Coroutine
from typing import Any

import msgspec

from harness.settings import KEY_ID, SECRET, node_settings
from palaver.ledger import MemoryLedger
from palaver.protocol.types import Role
from palaver.rooms.observer import Observer
from palaver.settings import Settings
from palaver.signaling.plane import SignalingPlane
from palaver.signaling.ports import Tracer
from palaver.signaling.tokens import mint

SDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"


class Refusal(AssertionError):
    """An error reply where the test expected a result."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(f"{error['data']['reason']}: {error['message']}")
        self.code: int = error["code"]
        self.reason: str = error["data"]["reason"]
        self.data: dict[str, Any] = error["data"]


def unframed(frames: bytes, binary: bool) -> list[bytes]:
    """The payloads of a server's whole data frames (RFC 6455 § 5.2)."""
    payloads = []
    while frames:
        assert frames[0] == (0x82 if binary else 0x81), "final, of the connection's kind, no reserved bits"
        assert frames[1] < 128, "a server does not mask"
        if frames[1] < 126:
            size, start = frames[1], 2
        else:
            start = 4 if frames[1] == 126 else 10
            size = int.from_bytes(frames[2:start], "big")
        assert len(frames) >= start + size
        payloads.append(frames[start : start + size])
        frames = frames[start + size :]
    return payloads


class Client:
    """One connection to the plane. Fills in signaling's Connection port."""

    def __init__(self, stage: Stage, id: int, bearer: str | None, binary: bool) -> None:
        self.id = id
        self.address = "127.0.0.1"
        self.bearer = bearer
        self.host = "127.0.0.1"
        self.binary = binary
        self.authenticated = False
        self.closed: tuple[int, str] | None = None
        self.sheds = False
        """Whether it reads so slowly that droppable events are shed."""
        self.is_slow = False
        self.events: list[dict[str, Any]] = []
        self.replies: dict[int | str | None, dict[str, Any]] = {}
        self.raw: list[bytes] = []
        self.peer = ""
        self.seq = 0
        self.ticket = ""
        self._stage = stage
        self._requests = 0
        self._codec = msgspec.msgpack if binary else msgspec.json

    # --- the port ---

    @property
    def is_open(self) -> bool:
        return self.closed is None

    def send(self, message: bytes, droppable: bool = False) -> bool:
        if self.closed is not None or (droppable and self.sheds):
            return False
        self.raw.append(message)
        decoded = self._codec.decode(message)
        for one in decoded if isinstance(decoded, list) else [decoded]:
            if "method" in one:
                self._see(one)
            else:
                self.replies[one["id"]] = one
        return True

    def send_frame(self, frame: bytes, droppable: bool = False, count: int = 1) -> bool:
        messages = unframed(frame, self.binary)
        assert len(messages) == count
        return all(self.send(message, droppable) for message in messages)

    def close(self, code: int, reason: str = "") -> None:
        if self.closed is None:
            self.closed = (code, reason)

    # --- what a test does ---

    def call(self, method: str, **params: Any) -> Any:
        """Sends a request and returns its result. Raises Refusal for an error, KeyError where no reply came."""
        return self.result(self.request(method, **params))

    def request(self, method: str, **params: Any) -> int:
        self._requests += 1
        request = {"jsonrpc": "2.0", "id": self._requests, "method": method, "params": params}
        self.receive(self._codec.encode(request))
        return self._requests

    def result(self, request: int) -> Any:
        reply = self.replies.pop(request)
        if "error" in reply:
            raise Refusal(reply["error"])
        return reply["result"]

    def receive(self, *messages: bytes) -> None:
        """What came from the client in one piece."""
        self._stage.plane.messages.received_together(self, list(messages))

    def lose(self) -> None:
        """The socket breaks."""
        if self.closed is None:
            self.closed = (1006, "")
        self._stage.plane.messages.disconnected(self, 1006)

    def join(self, room: str = "room", **params: Any) -> Any:
        reply = self.call("join", room=room, **params)
        self._note(reply)
        return reply

    def resume(self, before: Client, room: str = "room") -> Any:
        """Takes over the session of another socket, as a client does after a loss."""
        reply = self.call("join", room=room, resume={"ticket": before.ticket, "lastSeq": before.seq})
        self.seq = before.seq
        if reply["missed"] != "snapshot":
            for event in reply["missed"]:
                self._see(event)
        self._note(reply)
        return reply

    def take(self, *methods: str) -> list[dict[str, Any]]:
        """The events so far (of these methods), without their numbers; they are forgotten here."""
        taken = [each for each in self.events if not methods or each["method"] in methods]
        self.events = [each for each in self.events if each not in taken]
        numbers = {"epoch", "seq", "prev"}
        return [
            {"event": each["method"], **{k: v for k, v in each["params"].items() if k not in numbers}}
            for each in taken
        ]

    def _note(self, reply: dict[str, Any]) -> None:
        self.peer = reply["you"]["peer"]
        self.seq = reply["seq"]
        self.ticket = reply["session"]["ticket"]

    def _see(self, event: dict[str, Any]) -> None:
        """Holds every event to the promise: `prev` is the last one seen, and `seq` rises."""
        params = event["params"]
        assert list(params)[:3] == ["epoch", "seq", "prev"]
        if self.seq:  # after the join reply has been noted
            assert params["prev"] == self.seq, f"a gap: {self.seq} then {event}"
            assert params["seq"] > self.seq
            self.seq = params["seq"]
        self.events.append(event)


class Stage:
    """A plane, its clock, and its clients."""

    def __init__(
        self,
        settings: Settings | None = None,
        media: dict[str, Any] | None = None,
        ledger: MemoryLedger | None = None,
        observer: Observer | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self.settings = settings or node_settings()
        self.now = 1000.0
        self.drains: list[float] = []
        self.spawned: list[Coroutine[Any, Any, None]] = []
        self._chance = random.Random(1)
        self._connections = 0
        self.plane = SignalingPlane(
            self.settings,
            node="stage",
            version="test",
            directory=_Alone(),
            media=media or {},
            ledger=ledger or MemoryLedger(),
            clock=lambda: self.now,
            wall=lambda: self.now + 1_700_000_000,
            entropy=self._chance.randbytes,
            spawn=self.spawned.append,
            drain=self.drains.append,
            observer=observer,
            tracer=tracer,
        )

    def connect(self, bearer: str | None = None, binary: bool = False) -> Client:
        self._connections += 1
        client = Client(self, self._connections, bearer, binary)
        self.plane.messages.connected(client)
        return client

    def enter(
        self,
        identity: str,
        room: str = "room",
        role: Role = "participant",
        binary: bool = False,
        **params: Any,
    ) -> Client:
        """A client that has joined."""
        client = self.connect(binary=binary)
        client.join(room, token=self.token(identity, role=role), **params)
        return client

    def token(
        self, identity: str, role: Role = "participant", ttl_seconds: float = 3600, **grants: Any
    ) -> str:
        now = self.now + 1_700_000_000
        return mint(
            KEY_ID, SECRET, identity=identity, role=role, ttl_seconds=ttl_seconds, grants=grants, now=now
        )

    def advance(self, seconds: float) -> None:
        """Time goes by, with all that is due on the way."""
        until = self.now + seconds
        while (due := self.plane.sessions.timers.next_deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            self.plane.sessions.advance(self.now)
        self.now = until


class _Alone:
    def elsewhere(self, room: str, host: str) -> str | None:
        return None

    def owner(self, room: str) -> tuple[str, int]:
        return "stage", 1
