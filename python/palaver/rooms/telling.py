"""Telling: the events of a room on their way to those who are in it."""

from __future__ import annotations

from collections.abc import Callable, Container

from palaver.core import RelayRun
from palaver.protocol.codec import JSON, Codec
from palaver.protocol.events import Event
from palaver.rooms.log import Entry, RoomLog
from palaver.rooms.participant import Participant
from palaver.rooms.session import Sink, push_to_all


class Telling:
    """Who is there, the log, and what is noted in it but not sent yet.

    `tell` only notes an event; call `deliver` once the request's reply has been sent. `on_change` hears of the first noted.
    """

    def __init__(self, log: RoomLog, on_change: Callable[[Telling], None]) -> None:
        self.log = log
        self.participants: dict[str, Participant] = {}
        self._pending: list[Entry] = []
        self._on_change = on_change

    def visible_participants(self) -> list[Participant]:
        return [each for each in self.participants.values() if not each.hidden]

    def is_visible(self, entry: Entry, participant: Participant) -> bool:
        """Whether an event is meant for this participant."""
        peer, to, event = participant.peer, entry.to, entry.event
        if isinstance(to, str):
            return peer == to
        if peer == entry.but:
            return False
        if (
            event is not None
            and event.of_producers
            and participant.subscribe == "none"
            and not participant.cares_for(event)
        ):
            return False
        return to is None or peer in to

    def tell(self, event: Event, *, to: Container[str] | str | None = None, but: str | None = None) -> None:
        """Appends an event for all, for one peer or some, or for all `but` one. It is the log's next entry."""
        codec: Codec = JSON
        if type(to) is str:
            target = self.participants.get(to)
            if target is not None:
                codec = target.session.codec
        pending = self._pending
        if not pending:
            self._on_change(self)
        pending.append(self.log.append(event, to, but, codec))

    def pass_on(self, run: RelayRun, sender: str, receiver: Participant, sink: Sink) -> None:
        """Sends a peer at once what another passes on to it: the log's next entries. `sink` is its socket, and speaks JSON."""
        if self._pending:
            self.deliver()
        session, log = receiver.session, self.log
        frames = log.append_run(run, sender, receiver.peer, session.last_seq)
        session.last_seq = log.seq
        sink.send_frame(frames, False, len(run))

    def deliver(self) -> None:
        """Sends the noted events to those who are here, in order."""
        pending, self._pending = self._pending, []
        for entry in pending:
            to = entry.to
            if type(to) is str:
                target = self.participants.get(to)
                if target is not None:
                    target.session.push(entry)
            else:
                told, but = to is None, entry.but
                # Nearly everybody of a large room is told without a call: 0.1 µs for each.
                push_to_all(
                    [
                        participant.session
                        for participant in self.participants.values()
                        if (
                            participant.peer != but
                            if told and participant.subscribe == "auto"
                            else self.is_visible(entry, participant)
                        )
                    ],
                    entry,
                )
                entry.settle()

    def deliver_to(self, participant: Participant) -> None:
        """Sends the noted events to one who is about to go; the others have them in their time."""
        session = participant.session
        if session.corked:
            session.uncork()
            return
        for entry in self._pending:
            if self.is_visible(entry, participant):
                session.push(entry)

    def forget_seen(self) -> None:
        """Forgets the events that nobody may ask for again. O(participants), so only once there are as many events."""
        if len(self.log) >= len(self.participants):
            self.log.trim(min((each.session.seq_done for each in self.participants.values()), default=0))

    def shown(self, by: str) -> str:
        """Who did something, as the others are told: a hidden participant is nobody they know."""
        actor = self.participants.get(by)
        return "hidden" if actor is not None and actor.hidden else by

    def tell_moderators(self, event: Event) -> None:
        self.tell(event, to=frozenset(p.peer for p in self.participants.values() if p.is_moderator))
