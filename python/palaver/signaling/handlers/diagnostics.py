"""DiagnosticsHandler: debugging and testing tools."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from palaver.protocol.methods.diagnostics import DebugPing, DebugPingResult
from palaver.rooms.session_manager import SessionManager
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
        return {"debugPing": self.ping}

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
