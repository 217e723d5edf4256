"""Room: the participants, what they send and receive, and the verbs that change it. Every change tells its events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from msgspec.structs import replace

from palaver.protocol import events
from palaver.protocol.errors import ProtocolError
from palaver.protocol.methods.session import RoomHead
from palaver.protocol.types import Encoding, Role, Source
from palaver.rooms.demotions import Demotions
from palaver.rooms.faults import Faults
from palaver.rooms.knocks import Knocks
from palaver.rooms.lock import RoomLock
from palaver.rooms.log import RoomLog
from palaver.rooms.media import Consumer, MediaOrders, Producer, TransportHandle, WebRtcTransport
from palaver.rooms.mutes import Mutes
from palaver.rooms.observer import Observation, Observer
from palaver.rooms.participant import Participant
from palaver.rooms.peer_links import PeerLinks
from palaver.rooms.producers import Producers
from palaver.rooms.role import Grants
from palaver.rooms.telling import Telling
from palaver.rooms.timers import Timer, Timers

LeaveReason = Literal["left", "timeout", "kicked", "replaced", "closed"]
RoomTimer = Literal["empty", "end", "log"]
"""When the room goes, some time after the last has left, and at the end of its own time; when old events go."""


class Room(Telling):
    """All of one room. Not thread-safe: it belongs to one loop.

    Its verbs only note the events; call `deliver` once the request's reply has been sent.
    """

    def __init__(
        self,
        id: str,
        log: RoomLog,
        faults: Faults,
        timers: Timers,
        on_change: Callable[[Telling], None],
        observer: Observer | None = None,
    ) -> None:
        super().__init__(log, on_change)
        self.id = id
        self.faults = faults
        self.session_timers = timers
        """Those of all sessions."""
        self.version = 1
        """Rises with whatever roomInfo shows. Whoever opens the room sets where it begins."""
        self.attributes: dict[str, str] = {}
        self.peer_of: dict[str, str] = {}
        """Identity → peer."""
        self.producers = Producers()
        self.links = PeerLinks(timers)
        self.mutes = Mutes()
        self.demotions = Demotions()
        self.lock: RoomLock | None = None
        self.knocks = Knocks()
        self.timers: dict[RoomTimer, Timer] = {}
        self.media: MediaOrders | None = None
        self.media_node = ""
        self._observer = observer

    def cancel_timer(self, what: RoomTimer) -> None:
        timer = self.timers.pop(what, None)
        if timer is not None:
            timer.cancel()

    @property
    def head(self) -> RoomHead:
        return RoomHead(self.id, self.log.epoch, self.lock is not None, self.attributes, self.version)

    # --- administration ---

    def set_lock(self, lock: RoomLock | None, by: str) -> bool:
        """Locks or unlocks; nobody who is in is touched. Returns whether anything changed."""
        if lock == self.lock:
            return False
        self.lock, self.knocks = lock, Knocks()
        self.version += 1
        shown = self.shown(by)
        told = (
            events.RoomUnlocked(shown) if lock is None else events.RoomLocked(shown, lock.mode, lock.message)
        )
        self.tell(told, but=by)
        return True

    def set_role(self, participant: Participant, role: Role, by: str) -> bool:
        """Changes a role; producers that the new one may not have are closed in the same batch."""
        if participant.role == role:
            return False
        participant.role = role
        self.version += 1
        others = frozenset(self.participants) - {participant.peer, by}
        if not participant.hidden:
            self.tell(events.PeerRole(participant.peer, role, self.shown(by)), to=others)
        if participant.peer != by:
            self.tell(events.YouRole(role, participant.effective_grants, self.shown(by)), to=participant.peer)
        if role == "observer":
            for producer in list(participant.producers.values()):
                self.close_producer(producer, by=by, reason="role")
        return True

    def set_grants(self, participant: Participant, grants: Grants) -> None:
        """Takes the grants of a newer token; producers and consumers that it does not allow are closed.

        Whether the others see the participant stays as it was: they cannot be told of somebody in mid-stay, nor forget them.
        """
        grants = participant.grants = replace(grants, hidden=participant.hidden)
        for producer in list(participant.producers.values()):
            if not grants.may_publish(producer.source):
                self.close_producer(producer, by="", reason="grants")
        if not grants.can_subscribe:
            for consumer in list(participant.consumers.values()):
                self.close_consumer(participant, consumer)
                closed = events.ConsumerClosed(consumer.id, consumer.producer, "grants")
                self.tell(closed, to=participant.peer)

    # --- presence ---

    def add(self, participant: Participant) -> None:
        self.participants[participant.peer] = participant
        self.peer_of[participant.identity] = participant.peer
        self.version += 1
        if self._observer is not None:
            self._observer(Observation("participant_joined", self.id, self.log.epoch, participant.info))
        if not participant.hidden:
            joined = events.PeerJoined(
                participant.peer,
                participant.identity,
                participant.role,
                participant.name,
                participant.attributes,
            )
            self.tell(joined, but=participant.peer)

    def show_suspended(self, participant: Participant) -> None:
        """Tells that a participant lost its socket, or is back."""
        self.version += 1
        if not participant.hidden:
            lost = participant.session.suspended_shown
            kind = events.PeerSuspended if lost else events.PeerResumed
            self.tell(kind(participant.peer), but=participant.peer)

    def remove(self, participant: Participant, reason: LeaveReason, by: str | None = None) -> None:
        """Takes a participant and all that is theirs out of the room."""
        peer = participant.peer
        for producer in list(participant.producers.values()):
            self.close_producer(producer, by=peer, reason=reason)
        for consumer in list(participant.consumers.values()):
            self.close_consumer(participant, consumer)
        for transport in list(participant.transports.values()):
            self.close_transport(participant, transport)
        self.links.close_all_of(participant, self.participants)
        if not participant.hidden:
            self.tell(events.PeerLeft(peer, reason, by and self.shown(by)), but=peer)
        if reason != "left":  # who leaves has the reply, and asks for no more
            self.deliver_to(participant)
        del self.participants[peer]
        self.forget_seen()
        if self.peer_of.get(participant.identity) == peer:
            del self.peer_of[participant.identity]
        self.version += 1
        if self._observer is not None:
            epoch = self.log.epoch
            self._observer(Observation("participant_left", self.id, epoch, participant.info, reason=reason))

    # --- transports ---

    def add_transport(self, participant: Participant, id: str, cap: int) -> WebRtcTransport:
        """Makes a transport to the media node; at the cap, one that failed, or was only named, gives way to it.

        Raises ProtocolError limit where none does.
        """
        if len(participant.transports) >= cap:
            leaving = next(filter(participant.has_no_use_for, participant.transports.values()), None)
            if leaving is None:
                raise ProtocolError("limit", f"at most {cap} transports to the media node per participant")
            self.close_transport(participant, leaving)
        transport = participant.transports[id] = WebRtcTransport(id, self.session_timers)
        return transport

    def close_transport(self, participant: Participant, transport: WebRtcTransport) -> None:
        del participant.transports[transport.id]
        transport.early.forget()
        if self.media is not None:
            self.media.close_transport(self.handle(participant, transport.id))

    def handle(self, participant: Participant, transport: str) -> TransportHandle:
        return TransportHandle(self.media_node, self.id, participant.peer, transport)

    def tell_transport_state(self, peer: str, transport: WebRtcTransport) -> None:
        self.tell(events.TransportState(transport.id, transport.state), to=peer)

    # --- media ---

    def audience_of(self, producer: Producer) -> frozenset[str] | None:
        """The peers that may know of a producer; None: all."""
        if producer.is_for_all:
            return None
        return frozenset(p.peer for p in self.participants.values() if self.may_see(p, producer))

    def may_see(self, participant: Participant, producer: Producer) -> bool:
        return producer.is_for(participant.identity)

    def find_producer(self, participant: Participant, id: str) -> Producer | None:
        """The producer that a participant knows by this id."""
        return self.producers.find(participant.identity, id)

    def find_moderated(self, participant: Participant, id: str) -> Producer | None:
        """The producer that a participant knows by this id, or that they moderate: one with an allow-list, too."""
        known = self.find_producer(participant, id)
        return self.producers.find_any(id) if known is None and participant.is_moderator else known

    def producers_for(self, participant: Participant) -> list[Producer]:
        """The others' producers that this participant is told of, in a snapshot."""
        if participant.subscribe == "none":
            return []
        return [
            producer
            for producer in self.producers
            if producer.peer != participant.peer and self.may_see(participant, producer)
        ]

    def add_producer(self, owner: Participant, producer: Producer) -> None:
        producer.paused_by_moderator = self.mutes.covers(owner.identity, producer.source)
        self.producers.add(producer)
        owner.producers[producer.id] = producer
        self.version += 1
        self.tell(_added(producer), to=self.audience_of(producer), but=owner.peer)
        if self._observer is not None:
            epoch = self.log.epoch
            self._observer(Observation("track_published", self.id, epoch, owner.info, producer.info))

    def close_producer(self, producer: Producer, by: str, reason: str) -> None:
        """Closes a producer and the consumers that depend on it; `by` is the peer that asked, who has its reply."""
        owner = self.participants[producer.peer]
        hidden_ones = [(each, self.audience_of(each)) for each in self.producers.behind(producer)]
        self.producers.remove(producer)
        del owner.producers[producer.id]
        owner.remember_closed(producer.id)
        self.version += 1
        closed = events.ProducerClosed(producer.id, owner.peer, reason)
        self.tell(closed, to=self.audience_of(producer), but=by)
        if self._observer is not None:
            epoch, track = self.log.epoch, producer.info
            self._observer(Observation("track_unpublished", self.id, epoch, owner.info, track, reason))
        if self.media is not None:
            self.media.close_producer(self.id, producer.media_id)
        for consumer in list(producer.consumers.values()):
            consuming = self.participants[consumer.peer]
            consuming.remember_lost(producer.id)
            self.close_consumer(consuming, consumer)
            self.tell(events.ConsumerClosed(consumer.id, producer.id, reason), to=consumer.peer)
        for younger, known in hidden_ones:  # it has the id alone now, for some who have not heard of it
            news = frozenset(p.peer for p in self.participants.values() if self.may_see(p, younger))
            if news := news - (known or frozenset()):
                self.tell(_added(younger), to=news)

    def set_paused(
        self, producer: Producer, by: str, *, self_bit: bool | None = None, moderator_bit: bool | None = None
    ) -> bool:
        """Sets one of the two bits; events only when the effective state (self ∨ moderator) changes. Returns whether it did."""
        before = producer.paused
        if self_bit is not None:
            producer.paused_by_self = self_bit
        if moderator_bit is not None:
            producer.paused_by_moderator = moderator_bit
        if producer.paused == before:
            return False
        self.version += 1
        kind = events.ProducerPaused if producer.paused else events.ProducerResumed
        self.tell(kind(producer.id, producer.peer), to=self.audience_of(producer), but=by)
        if self.media is not None:
            self.media.pause_producer(self.id, producer.media_id, producer.paused)
        return True

    def replace_track(
        self, producer: Producer, generation: int, source: Source, label: str | None, mid: str | None
    ) -> None:
        """Notes the new track of a producer; consumers stay as they are."""
        producer.generation, producer.source = generation, source
        if self.mutes.covers(self.participants[producer.peer].identity, source):
            self.set_paused(producer, by="", moderator_bit=True)
        if label is not None:
            producer.label = label
        if mid is not None and mid != producer.mid:
            producer.mid = mid
            if self.media is not None:
                self.media.move_producer(self.id, producer.media_id, mid)
        self.version += 1
        replaced = events.ProducerReplaced(
            producer.id, producer.peer, source, generation, producer.label, producer.mid
        )
        self.tell(replaced, to=self.audience_of(producer), but=producer.peer)

    def change_encodings(self, producer: Producer, encodings: list[Encoding]) -> bool:
        """Changes the encodings; those who consume it are told. Returns whether anything changed."""
        if encodings == producer.encodings:
            return False
        producer.encodings = encodings
        producer.version += 1
        consuming = frozenset(peer for peer, _ in producer.consumers) - {producer.peer}
        if consuming:
            self.tell(events.ProducerLayers(producer.id, encodings, producer.version), to=consuming)
        self.tell_wanted(producer)
        return True

    def add_consumer(self, participant: Participant, consumer: Consumer) -> None:
        participant.consumers[consumer.id] = consumer
        consumer.source.consumers[participant.peer, consumer.id] = consumer
        self.tell_wanted(consumer.source)

    def tell_wanted(self, producer: Producer) -> None:
        """Tells the publisher which layers anyone still watches, when that changed."""
        watched = producer.layers_watched()
        if watched != producer.wanted and self.producers.holds(producer):
            producer.wanted = watched
            self.tell(events.ProducerWanted(producer.id, watched), to=producer.peer)

    def close_consumer(self, participant: Participant, consumer: Consumer) -> None:
        del participant.consumers[consumer.id]
        participant.remember_closed(consumer.id)
        consumer.source.consumers.pop((participant.peer, consumer.id), None)
        self.tell_wanted(consumer.source)
        if self.media is not None:
            self.media.close_consumer(self.id, consumer.media_id)

    def pause_consumer(self, consumer: Consumer, paused: bool) -> bool:
        if consumer.paused == paused:
            return False
        consumer.paused = paused
        if self.media is not None:
            self.media.pause_consumer(self.id, consumer.media_id, paused)
        self.tell_wanted(consumer.source)
        return True


def _added(producer: Producer) -> events.ProducerAdded:
    return events.ProducerAdded(
        producer.id, producer.peer, producer.kind, producer.source, producer.paused, producer.label
    )
