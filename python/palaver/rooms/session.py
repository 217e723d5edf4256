"""SignalingSession: one client's stay, from its socket to its seat in a room, over the loss of sockets."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, Literal, Protocol

from palaver.protocol.close_codes import CloseCode
from palaver.protocol.codec import JSON, MSGPACK, Codec
from palaver.protocol.events import (
    Event,
    SdpText,
    TransportAnswer,
    TransportIce,
    TransportOffer,
    TransportRestart,
)
from palaver.protocol.types import Candidate
from palaver.rooms.log import Entry
from palaver.rooms.role import Claims
from palaver.rooms.timers import Timer

if TYPE_CHECKING:
    from palaver.rooms.participant import Participant
    from palaver.rooms.room import Room

State = Literal["new", "authed", "joined", "suspended", "gone"]
Happening = Literal["auth", "join", "lose", "resume", "end"]

# state × happening → state (protocol § 2). What is not here cannot happen.
TRANSITIONS: Final[dict[tuple[State, Happening], State]] = {
    ("new", "auth"): "authed",
    ("authed", "join"): "joined",
    ("joined", "lose"): "suspended",
    ("suspended", "resume"): "joined",
    ("joined", "resume"): "joined",  # the client noticed the loss before we did
    ("new", "end"): "gone",
    ("authed", "end"): "gone",
    ("joined", "end"): "gone",
    ("suspended", "end"): "gone",
}


class Sink(Protocol):
    """Where a session's messages go: its socket, seen from the room."""

    @property
    def binary(self) -> bool: ...

    @property
    def is_slow(self) -> bool: ...

    def send_frame(self, frame: bytes, droppable: bool = False, count: int = 1) -> bool: ...

    def close(self, code: int, reason: str = "") -> None: ...


class SignalingSession:
    """Per-client data and signaling state.

    `last_seq` is the number of the event last sent; the next event carries it as `prev`, so that there is no silent gap.
    While `corked`, events wait in the room's log: the reply of a join or a batch goes out before the events that follow it.
    """

    __slots__ = (
        "claims",
        "corked",
        "corked_at",
        "failed_auths",
        "is_joining",
        "joined_seq",
        "last_seq",
        "participant",
        "room",
        "seq_done",
        "seq_seen",
        "session_id",
        "sink",
        "state",
        "suspended_shown",
        "ticket",
        "timers",
        "token_timers",
    )

    def __init__(self, session_id: str, sink: Sink) -> None:
        self.session_id = session_id
        self.sink: Sink | None = sink
        self.state: State = "new"
        self.claims: Claims | None = None
        self.room: Room | None = None
        self.participant: Participant | None = None
        self.ticket = ""
        self.last_seq = 0
        self.joined_seq = 0
        """The room's number when it took its seat."""
        self.seq_seen = 0
        """The number of the last event that the client says it has seen."""
        self.seq_done = 0
        """Up to this number the log holds nothing that it has not seen: the rest was not for it."""
        self.corked = False
        self.corked_at = 0
        """The room's number when the cork went in."""
        self.failed_auths = 0
        self.is_joining = False
        """Whether the media node works on the offer of its join."""
        self.suspended_shown = False
        self.timers: list[Timer] = []
        """Those of a loss."""
        self.token_timers: list[Timer] = []

    @property
    def client_id(self) -> str | None:
        """The identity its token proved; None before that."""
        return self.claims.identity if self.claims else None

    @property
    def room_id(self) -> str | None:
        return self.room.id if self.room else None

    @property
    def codec(self) -> Codec:
        return MSGPACK if self.sink is not None and self.sink.binary else JSON

    @property
    def is_up_to_date(self) -> bool:
        """Whether it has seen all that was sent to it, and all that is for it is sent as soon as its room delivers."""
        return self.seq_seen == self.last_seq and self.sink is not None and not self.corked

    def happen(self, what: Happening) -> None:
        """Moves along TRANSITIONS. Raises KeyError for what cannot happen: a bug of ours, never a client's doing."""
        self.state = TRANSITIONS[self.state, what]
        if self.state == "gone":
            self.cancel_timers()
            self.set_token_timers([])

    def cancel_timers(self) -> None:
        """Voids the timers of a loss."""
        for timer in self.timers:
            timer.cancel()
        self.timers = []

    def set_token_timers(self, timers: list[Timer]) -> None:
        """Replaces the timers of the token."""
        for timer in self.token_timers:
            timer.cancel()
        self.token_timers = timers

    def push(self, entry: Entry) -> None:
        """Sends one event, or leaves it in the log for a session that is corked or has no socket."""
        sink, last = self.sink, self.last_seq
        seq = entry.seq
        if sink is None or self.corked or seq <= last:
            return
        frame = entry.frame(MSGPACK if sink.binary else JSON, last)
        droppable = entry.kind.droppable
        room = self.room
        if room is not None and room.faults.active:
            self.last_seq = seq
            room.faults.send(self, partial(sink.send_frame, frame, droppable))
        elif sink.send_frame(frame, droppable) or not droppable:
            self.last_seq = seq  # what was shed leaves no gap: the next event names the one before it

    def cork(self) -> None:
        """Keeps events back from now on. What its room has noted must have been delivered."""
        if self.room is not None:
            self.corked, self.corked_at = True, self.room.log.seq

    def uncork(self) -> None:
        """Sends what came since the cork went in; a log that no longer reaches back is a gap the client must resume over."""
        was_corked, self.corked = self.corked, False
        if not was_corked or self.room is None or self.participant is None or self.sink is None:
            return
        if self.corked_at == self.room.log.seq:
            return  # nothing came
        missed = self.room.log.after(self.corked_at)
        if missed is None:
            self.sink.close(CloseCode.STATE_GAP, "events were lost, resume")
            return
        for entry in missed:
            if self.room.is_visible(entry, self.participant):
                self.push(entry)
                entry.settle()

    def send_offer(
        self, from_peer: str, transport: str, sdp: SdpText, generation: int, glare: bool = False
    ) -> None:
        """Tells this client of a peer's offer. Like all that a session is told, it goes through the room's log."""
        self._tell(TransportOffer(from_peer, transport, sdp, generation, glare))

    def send_answer(self, from_peer: str, transport: str, sdp: SdpText, generation: int) -> None:
        self._tell(TransportAnswer(from_peer, transport, sdp, generation))

    def add_ice_candidate(
        self,
        from_peer: str,
        transport: str,
        generation: int,
        candidates: list[Candidate | str],
        end: bool = False,
    ) -> None:
        self._tell(TransportIce(from_peer, transport, generation, candidates, end))

    def send_restart(self, from_peer: str, transport: str, generation: int, reason: str) -> None:
        self._tell(TransportRestart(from_peer, transport, generation, reason))

    def _tell(self, event: Event) -> None:
        assert self.room is not None and self.participant is not None, (
            "only a joined session is offered anything"
        )
        self.room.tell(event, to=self.participant.peer)


def push_to_all(sessions: list[SignalingSession], entry: Entry) -> None:
    """As `push` to each. All who last saw the event before this one get the same frame, in 0.2 µs less each."""
    seq = entry.seq
    last, droppable, frame = seq - 1, entry.kind.droppable, b""
    for session in sessions:
        sink, room = session.sink, session.room
        if (
            session.last_seq != last
            or sink is None
            or sink.binary
            or session.corked
            or (room is not None and room.faults.active)
        ):
            session.push(entry)
            continue
        frame = frame or entry.frame(JSON, last)
        if sink.send_frame(frame, droppable) or not droppable:
            session.last_seq = seq
