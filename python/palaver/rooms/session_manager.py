"""SessionManager: the rooms and sessions of this node, who may take which seat, and what time does to them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

from msgspec import Struct

from palaver.protocol.close_codes import CloseCode
from palaver.protocol.errors import ProtocolError
from palaver.protocol.types import Role
from palaver.rooms.faults import Faults
from palaver.rooms.log import RoomLog
from palaver.rooms.observer import Observation, Observer
from palaver.rooms.participant import Participant
from palaver.rooms.role import Claims
from palaver.rooms.room import LeaveReason, Room
from palaver.rooms.session import SignalingSession, Sink
from palaver.rooms.telling import Telling
from palaver.rooms.timers import Timers
from palaver.settings import LimitSettings, RoomSettings


class SeatRequest(Struct, frozen=True):
    """A request for a seat: the session (authenticated) and what its join asked for."""

    session: SignalingSession
    claims: Claims
    """What its token says; not yet the session's own while the seat is only asked for."""
    room: str
    peer: str
    """The id that the participant will have; made beforehand, so that its media can be set up first."""
    name: str | None = None
    attributes: dict[str, str] | None = None
    subscribe: Literal["auto", "none"] = "auto"
    on_duplicate: Literal["replace", "reject"] = "replace"

    @property
    def all_attributes(self) -> dict[str, str]:
        """The token's, and over them those of the join."""
        return {**self.claims.attributes, **(self.attributes or {})}


class SessionManager:
    """Owns every room and session. Time is an argument; `entropy(n)` returns n random bytes.

    The caller must call `deliver_all()` after a request's reply has been sent, and `advance(now)` now and then.
    """

    def __init__(
        self,
        limits: LimitSettings,
        rooms: RoomSettings,
        entropy: Callable[[int], bytes],
        owner: Callable[[str], tuple[str, int]],
        clock: Callable[[], float],
        observer: Observer | None = None,
    ) -> None:
        self.limits = limits
        self.settings = rooms
        self.rooms: dict[str, Room] = {}
        self.sessions: dict[str, SignalingSession] = {}
        """Joined and suspended sessions by session id."""
        self.draining = False
        """No new seats are given; those who have one, suspended ones included, keep it."""
        self.resumes = {"replayed": 0, "snapshot": 0}
        self._observer = observer
        self._clock = clock
        self._entropy = entropy
        self._owner = owner
        self._epoch = 0
        """Of the room that was opened last. One number for all: a room that ends leaves nothing behind to count in."""
        self._version = 0
        """The highest that a room had which has ended; likewise."""
        self._tickets: dict[str, SignalingSession] = {}
        self._changed: list[Telling] = []
        self.timers = Timers()
        self.faults = Faults(self.timers, clock, entropy)

    def get_active_sessions(self) -> list[SignalingSession]:
        """The sessions that hold a seat, suspended ones included."""
        return list(self.sessions.values())

    def new_id(self, prefix: str) -> str:
        return f"{prefix}_{self._entropy(9).hex()}"

    def new_session(self, sink: Sink) -> SignalingSession:
        """A session for a new socket. It is nowhere registered until it takes a seat."""
        return SignalingSession(self.new_id("s"), sink)

    # --- seats ---

    def role_at(self, room: str, claims: Claims) -> Role:
        """The role that the holder of a token would join a room with."""
        known = self.rooms.get(room)
        return claims.role if known is None else known.demotions.role_of(claims)

    def check_seat(self, request: SeatRequest) -> None:
        """Raises ProtocolError (node_draining, room_full, limit, conflict) where `create_or_join` would; changes nothing."""
        if self.draining or self.faults.drains:
            raise ProtocolError("node_draining")
        room = self.rooms.get(request.room)
        claims = request.claims
        duplicate = room is not None and claims.identity in room.peer_of
        if duplicate and request.on_duplicate == "reject":
            raise ProtocolError("conflict", "this identity is in the room already", path="$.onDuplicate")
        if duplicate:
            return  # takes over a seat: no cap is touched
        if room is None and len(self.rooms) >= self.limits.rooms:
            raise ProtocolError("limit", f"this node holds at most {self.limits.rooms} rooms")
        if room is not None and len(room.participants) >= self.limits.room_participants:
            raise ProtocolError(
                "room_full", f"the room holds at most {self.limits.room_participants} participants"
            )
        if len(self.sessions) >= self.limits.sessions:
            raise ProtocolError("limit", f"this node holds at most {self.limits.sessions} sessions")

    def create_or_join(self, request: SeatRequest) -> Participant:
        """Gives the session a seat, making the room if it is the first. Replaces an earlier session of the same identity.

        Raises what `check_seat` raises, having changed nothing.
        """
        self.check_seat(request)
        session, claims = request.session, request.claims
        room = self.rooms.get(request.room) or self._open(request.room)
        if claims.identity in room.peer_of:
            self._replace(room.participants[room.peer_of[claims.identity]])
        room.cancel_timer("empty")
        participant = Participant(
            request.peer,
            session,
            identity=claims.identity,
            name=claims.name if request.name is None else request.name,
            attributes=request.all_attributes,
            role=room.demotions.role_of(claims),
            grants=claims.grants,
            subscribe=request.subscribe,
        )
        session.happen("join")
        session.room, session.participant = room, participant
        self.sessions[session.session_id] = session
        self._new_ticket(session)
        room.add(participant)
        session.last_seq = session.joined_seq = session.seq_seen = session.seq_done = room.log.seq
        session.cork()
        return participant

    def resume(
        self, fresh: SignalingSession, identity: str, room: str, ticket: str, last_seq: int
    ) -> tuple[SignalingSession, list[bytes] | None]:
        """Brings the ticket's session back on the socket of `fresh`, which ends.

        Returns the session and the events it missed as encoded notifications, None where they are gone. Raises
        ProtocolError not_found for a ticket that is unknown, used, or another identity's; then it is still good.
        """
        session = self._tickets.get(ticket)
        if session is None or session.client_id != identity or session.room_id != room:
            raise ProtocolError("not_found", "there is no such session to resume; join afresh")
        assert session.room is not None and session.participant is not None, "tickets are for seats"
        old, session.sink = session.sink, fresh.sink
        if old is not None and old is not fresh.sink:
            old.close(CloseCode.REPLACED, "resumed on another socket")
        fresh.sink = None
        fresh.happen("end")
        session.happen("resume")
        session.cancel_timers()
        self._new_ticket(session)
        if session.suspended_shown:
            session.suspended_shown = False
            session.room.show_suspended(session.participant)
        missed = self._missed(session, session.room, session.participant, last_seq)
        session.last_seq = session.room.log.seq
        session.cork()
        self.resumes["snapshot" if missed is None else "replayed"] += 1
        return session, missed

    def _missed(
        self, session: SignalingSession, room: Room, participant: Participant, last_seq: int
    ) -> list[bytes] | None:
        prev, last_seq = last_seq, max(last_seq, session.joined_seq)  # what was before is not theirs to hear
        entries = room.log.after(
            max(last_seq, session.seq_done) if last_seq >= session.seq_seen else last_seq
        )
        if entries is None:
            return None
        missed = []
        for entry in entries:
            if room.is_visible(entry, participant):
                missed.append(entry.message(session.codec, prev))
                prev = entry.seq
        return missed

    def lose(self, session: SignalingSession, now: float) -> float:
        """The session's socket is gone: it keeps its seat for the grace period. Returns when that ends."""
        session.sink = None
        session.happen("lose")
        session.cancel_timers()
        ends = now + self.settings.grace_ms / 1000
        session.timers = [
            self.timers.at(now + self.settings.flap_ms / 1000, partial(self._show_loss, session)),
            self.timers.at(ends, partial(self.end, session, "timeout")),
        ]
        return ends

    def _show_loss(self, session: SignalingSession) -> None:
        room, participant = session.room, session.participant
        assert room is not None and participant is not None, "its timer ends with its seat"
        session.suspended_shown = True
        room.show_suspended(participant)

    def end(self, session: SignalingSession, reason: LeaveReason, by: str | None = None) -> None:
        """Ends a session in whatever state it is; its participant leaves the room, an empty room goes after a while."""
        room = session.room
        self._vacate(session, reason, by)
        if room is None or room.participants:
            return
        if self.settings.empty_seconds and not self.draining:
            when = self._clock() + self.settings.empty_seconds
            room.timers["empty"] = self.timers.at(when, partial(self._forget, room, reason))
        else:
            self._forget(room, reason)

    def close_room(self, room: Room, reason: str, by: str | None = None) -> int:
        """Sends everybody out with 4506 and forgets the room. Returns how many that were."""
        leaving = [each.session for each in room.participants.values()]
        room.deliver()
        sinks = [session.sink for session in leaving]
        for session in leaving:
            session.sink = None  # none is told how the others leave: that would be n² events for one close
        for session in leaving:
            self._vacate(session, "closed", by)
        for sink in sinks:
            if sink is not None:
                sink.close(CloseCode.ROOM_CLOSED, reason)
        self._forget(room, "closed")
        return len(leaving)

    def _open(self, id: str) -> Room:
        _, epoch = self._owner(id)
        epoch = self._epoch = max(epoch, self._epoch + 1)
        log = RoomLog(epoch, self.limits.log_events, self.limits.log_bytes)
        room = self.rooms[id] = Room(id, log, self.faults, self.timers, self._changed.append, self._observer)
        # Above all that a room of this name had before; over a restart the epoch sees to that.
        room.version = max(epoch, self._version + 1)
        if self._observer is not None:
            self._observer(Observation("room_started", id, epoch))
        if self.settings.max_seconds:
            when = self._clock() + self.settings.max_seconds
            room.timers["end"] = self.timers.at(
                when, partial(self.close_room, room, "the room's time is over")
            )
        self._age_later(room)
        return room

    def _age_later(self, room: Room) -> None:
        """Has a room's events go when nobody can ask for them any more."""
        room.timers["log"] = self.timers.at(self._clock() + self.limits.log_seconds, partial(self._age, room))

    def _age(self, room: Room) -> None:
        room.log.age()
        self._age_later(room)

    def _forget(self, room: Room, reason: LeaveReason) -> None:
        for what in ("empty", "end", "log"):
            room.cancel_timer(what)
        del self.rooms[room.id]
        self._version = max(self._version, room.version)
        if self._observer is not None:
            self._observer(Observation("room_finished", room.id, room.log.epoch, reason=reason))

    def _vacate(self, session: SignalingSession, reason: LeaveReason, by: str | None) -> None:
        session.cancel_timers()
        room, participant = session.room, session.participant
        if room is not None and participant is not None:
            room.remove(participant, reason, by)
        self.sessions.pop(session.session_id, None)
        self._tickets.pop(session.ticket, None)
        session.room = session.participant = None
        if session.state != "gone":
            session.happen("end")

    def _replace(self, participant: Participant) -> None:
        session = participant.session
        sink, session.sink = session.sink, None
        self._vacate(session, "replaced", None)
        if sink is not None:
            sink.close(CloseCode.REPLACED, "the same identity joined again")

    def _new_ticket(self, session: SignalingSession) -> None:
        self._tickets.pop(session.ticket, None)
        session.ticket = "t_" + self._entropy(20).hex()
        self._tickets[session.ticket] = session

    # --- telling and time ---

    def deliver_all(self) -> None:
        """Sends the events of every room that changed, in order."""
        changed = self._changed
        for room in changed:  # it may grow meanwhile
            room.deliver()
        changed.clear()

    def acknowledge(self, session: SignalingSession, seq: int) -> None:
        """The client has seen everything up to `seq`: what all have seen is not kept."""
        room = session.room
        if room is None or not session.seq_seen <= seq <= session.last_seq:
            return
        session.seq_seen = seq
        room.deliver()
        if session.is_up_to_date:
            seq = room.log.seq
        if seq > session.seq_done:
            session.seq_done = seq
            room.forget_seen()

    def advance(self, now: float) -> None:
        """Does what is due: shows losses that outlasted a flap, ends sessions whose grace period is over, and the like."""
        self.timers.advance(now)
        self.deliver_all()
