"""DiagnosticsHandler: debugging and testing tools."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final

from palaver.protocol import events
from palaver.protocol.close_codes import CloseCode
from palaver.protocol.errors import ProtocolError
from palaver.protocol.methods.diagnostics import (
    ChaosInject,
    ChaosInjectResult,
    DebugPing,
    DebugPingResult,
    TraceEvent,
)
from palaver.protocol.methods.session import Empty
from palaver.rooms.faults import MAX_ACTIVE, Fault
from palaver.rooms.session_manager import SessionManager
from palaver.settings import LiveSettings
from palaver.signaling.admission import require
from palaver.signaling.message import Message
from palaver.signaling.ports import RoomDirectory
from palaver.signaling.router import Verb
from palaver.signaling.stream_router import StreamRouter

log = logging.getLogger(__name__)

_CLOSES: Final = {
    "killSession": CloseCode.STATE_GAP,
    "slowConsumer": CloseCode.SLOW_CONSUMER,
    "drain": CloseCode.SHUTDOWN,
}


class DiagnosticsHandler:
    def __init__(
        self,
        sessions: SessionManager,
        streams: StreamRouter,
        directory: RoomDirectory,
        settings: LiveSettings,
        node: str,
        clock: Callable[[], float],
        wall: Callable[[], float],
        drain: Callable[[float], None],
    ) -> None:
        self._sessions = sessions
        self._streams = streams
        self._directory = directory
        self._settings = settings
        self._node = node
        self._clock = clock
        self._wall = wall
        self._drain = drain

    @property
    def routes(self) -> Mapping[str, Verb]:
        return {"debugPing": self.ping, "traceEvent": self.trace, "chaosInject": self.inject}

    def ping(self, message: Message, params: DebugPing) -> DebugPingResult:
        """How the node is; with the grant `diag` also the path that the ping took, in microseconds per node."""
        session, room = message.session, message.session.room
        owner, epoch = (None, None) if room is None else (self._directory.owner(room.id)[0], room.log.epoch)
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
            peer = room.shown(participant.peer)
            told = events.Trace(peer, params.name, params.t, params.attributes or {}, params.traceparent)
            room.tell(told, to=listening)
        return Empty()

    def inject(self, message: Message, params: ChaosInject) -> ChaosInjectResult:
        """Makes a fault on purpose: switched on in settings, granted in the token, logged, counted, ending by itself."""
        room, participant = message.seat
        if not self._settings.diagnostics.chaos:
            raise ProtocolError("forbidden", "chaos is off on this node (diagnostics.chaos)", need="chaos")
        require(message.session.claims, "chaos")
        faults = self._sessions.faults
        if len(faults.active) >= MAX_ACTIVE:
            raise ProtocolError("limit", f"at most {MAX_ACTIVE} faults at once")
        fault = Fault(
            id=self._sessions.new_id("f"),
            kind=params.fault,
            scope=params.scope,
            session=message.session.session_id,
            room=room.id,
            until=message.now + params.ttl_s,
            p=params.p,
            ms=params.ms,
        )
        log.warning(
            "fault injected",
            extra={"fault": fault.kind, "scope": fault.scope, "id": fault.id, "by": participant.identity},
        )
        faults.inject(fault)
        self._strike_at_once(fault, params.ttl_s, message)
        return ChaosInjectResult(fault.id, int((self._wall() + params.ttl_s) * 1000))

    def _strike_at_once(self, fault: Fault, ttl: float, message: Message) -> None:
        """What a fault does in the moment it begins, beside what it does to messages; the caller's socket goes last."""
        code = _CLOSES.get(fault.kind)
        if fault.kind == "drain" and fault.scope == "node":
            self._drain(ttl)
        for session in self._sessions.get_active_sessions():
            if not fault.concerns(session) or session.room is None or session.participant is None:
                continue
            if fault.kind == "mediaFail" and session.room.media is not None:
                for transport in session.participant.transports.values():
                    session.room.media.close_transport(session.room.handle(session.participant, transport.id))
            elif code is not None and session is message.session:
                message.then_close = (code, f"chaos: {fault.kind}")
            elif code is not None and session.sink is not None:
                session.sink.close(code, f"chaos: {fault.kind}")
