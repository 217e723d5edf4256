"""DiagnosticsHandler: debugging and testing tools."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from palaver.protocol import events
from palaver.protocol.errors import ProtocolError
from palaver.protocol.methods.diagnostics import DebugPing, DebugPingResult, TraceEvent
from palaver.protocol.methods.session import Empty
from palaver.rooms.session_manager import SessionManager
from palaver.signaling.admission import require
from palaver.signaling.message import Message
from palaver.signaling.ports import RoomDirectory
from palaver.signaling.router import Verb
from palaver.signaling.stream_router import StreamRouter


class DiagnosticsHandler:
    def __init__(
        self,
        sessions: SessionManager,
        streams: StreamRouter,
        directory: RoomDirectory,
        node: str,
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._sessions = sessions
        self._streams = streams
        self._directory = directory
        self._node = node
        self._clock = clock
        self._wall = wall

    @property
    def routes(self) -> Mapping[str, Verb]:
        return {"debugPing": self.ping, "traceEvent": self.trace}

    def ping(self, message: Message, params: DebugPing) -> DebugPingResult:
        """How the node is; with the grant `diag` also the path that the ping took, in microseconds per node."""
        session, room = message.session, message.session.room
        owner, epoch = self._directory.owner(room.id) if room is not None else (None, None)
        path = []
        if session.claims is not None and session.claims.grants.diag:
            path.append({"node": self._node, "micros": round((self._clock() - message.now) * 1e6)})
            if params.target == "media" and room is not None:
                path.append({"node": self._streams.choose_node(room.id).node, "micros": 0})
        load = {"rooms": len(self._sessions.rooms), "sessions": len(self._sessions.sessions)}
        return DebugPingResult(int(self._wall() * 1000), owner, epoch, load, path)

    def trace(self, message: Message, params: TraceEvent) -> Empty:
        """A mark on the time line of a call, or (with the grant `diag`) a subscription to such marks in one's room."""
        room, participant = message.seat
        if params.subscribe is not None:
            require(message.session.claims, "diag")
            participant.traces = (frozenset(params.subscribe), message.now + params.ttl_s)
            return Empty()
        if params.name is None:
            raise ProtocolError("invalid_params", "name the event, or subscribe to some", path="$.name")
        listening = frozenset(
            each.peer
            for each in room.participants.values()
            if each.traces is not None
            and each.traces[1] > message.now
            and not each.traces[0].isdisjoint({params.name, "*"})
        )
        if listening:
            told = events.Trace(
                participant.peer, params.name, params.t, params.attributes or {}, params.traceparent
            )
            room.tell(told, to=listening)
        return Empty()
