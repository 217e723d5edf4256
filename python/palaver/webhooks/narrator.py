"""Narrator: numbers what an observer is told and puts it into the words of the wire. Pure; time and chance are handed in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import msgspec
from msgspec import Struct

from palaver.protocol.methods.producer import ProducerInfo
from palaver.protocol.methods.session import PeerInfo
from palaver.protocol.types import Kind, Source
from palaver.protocol.webhooks import (
    TrackSource,
    TrackType,
    WebhookEvent,
    WebhookParticipant,
    WebhookRoom,
    WebhookTrack,
)
from palaver.rooms.observer import Observation

TYPES: Final[dict[Kind, TrackType]] = {"audio": "AUDIO", "video": "VIDEO", "data": "DATA"}
SOURCES: Final[dict[Source, TrackSource]] = {
    "camera": "CAMERA",
    "microphone": "MICROPHONE",
    "screen": "SCREEN_SHARE",
    "screenAudio": "SCREEN_SHARE_AUDIO",
    "data": "UNKNOWN",
}


class Life(Struct):
    """One life of a room, from its first participant to its last."""

    sid: str
    room: str
    epoch: int
    seq: int = 0


class Record(Struct, frozen=True):
    """One event, ready to be kept and sent."""

    number: int
    life: Life
    """As of this event."""
    created: float
    """Seconds since the Unix epoch."""
    body: bytes
    ends: bool = False
    """Whether it is the last of its room's life."""


class Narrator:
    """Counts all events of the node on from `last`, and those of each room's life from 1."""

    def __init__(
        self, node: str, last: int, wall: Callable[[], float], entropy: Callable[[int], bytes]
    ) -> None:
        self._node = node
        self._number = last
        self._wall = wall
        self._entropy = entropy
        self._lives: dict[str, Life] = {}

    def tell(self, seen: Observation) -> Record:
        life = self._lives.get(seen.room)
        if life is None:
            life = self._lives[seen.room] = Life(self._new_id("RM"), seen.room, seen.epoch)
        ends = seen.event == "room_finished"
        if ends:
            del self._lives[seen.room]
        return self._record(life, seen, ends)

    def end(self, lives: Iterable[Life], reason: str) -> list[Record]:
        """The ends of lives that nobody will see through: those that a crash left behind, or a stop leaves."""
        return [
            self._record(life, Observation("room_finished", life.room, life.epoch, reason=reason), True)
            for life in lives
        ]

    def end_all(self, reason: str) -> list[Record]:
        lives, self._lives = self._lives, {}
        return self.end(lives.values(), reason)

    def _record(self, life: Life, seen: Observation, ends: bool) -> Record:
        self._number += 1
        life.seq += 1
        created = self._wall()
        event = WebhookEvent(
            event=seen.event,
            id=self._new_id("EV"),
            created_at=int(created),
            number=self._number,
            seq=life.seq,
            node=self._node,
            room=WebhookRoom(life.sid, life.room, life.epoch),
            participant=None if seen.participant is None else _participant(seen.participant),
            track=None if seen.track is None else _track(seen.track),
            reason=seen.reason,
        )
        as_of_now = Life(life.sid, life.room, life.epoch, life.seq)
        return Record(self._number, as_of_now, created, msgspec.json.encode(event), ends)

    def _new_id(self, prefix: str) -> str:
        return f"{prefix}_{self._entropy(9).hex()}"


def _participant(peer: PeerInfo) -> WebhookParticipant:
    return WebhookParticipant(peer.peer, peer.identity, peer.role, peer.name, peer.attributes)


def _track(track: ProducerInfo) -> WebhookTrack:
    return WebhookTrack(track.id, TYPES[track.kind], SOURCES[track.source], track.label, track.paused)
