"""The client's picture of its room, kept up to date from events. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct, field

from palaver.client.events import Event


class Peer(Struct):
    id: str
    identity: str
    name: str = ""
    """For people; may be empty."""
    role: str = "participant"
    attributes: dict[str, str] = field(default_factory=dict)
    suspended: bool = False
    """Its socket is lost; it may come back."""

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Peer:
        return cls(
            id=wire["peer"],
            identity=wire["identity"],
            name=wire.get("name", ""),
            role=wire.get("role", "participant"),
            attributes=dict(wire.get("attributes", {})),
            suspended=wire.get("suspended", False),
        )


class Producer(Struct):
    id: str
    peer: str
    kind: str
    """audio, video or data."""
    source: str
    """camera, microphone, screen, screenAudio or data."""
    label: str = ""
    paused: bool = False
    """By its owner or by a moderator."""

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Producer:
        return cls(
            id=wire["id"],
            peer=wire["peer"],
            kind=wire["kind"],
            source=wire["source"],
            label=wire.get("label", ""),
            paused=bool(wire.get("paused", False)),
        )


class Room:
    """You are not among `peers`, and your producers are not among `producers`."""

    def __init__(self, reply: Mapping[str, Any]) -> None:
        self.peers: dict[str, Peer] = {}
        self.producers: dict[str, Producer] = {}
        self.own: set[str] = _own(reply)
        """The ids of your own producers."""
        self._head(reply)
        self._take(reply)

    def _head(self, reply: Mapping[str, Any]) -> None:
        self.you = Peer.from_wire(reply["you"])
        self.grants: dict[str, Any] = reply["you"].get("grants", {})
        room = reply["room"]
        self.id: str = room["id"]
        self.epoch: int = room["epoch"]
        self.locked: bool = room["locked"]
        self.attributes: dict[str, str] = dict(room.get("attributes", {}))
        self.ice_servers: list[dict[str, Any]] = list(reply.get("iceServers", []))

    def _take(self, reply: Mapping[str, Any]) -> None:
        me = self.you.id
        self.peers = {peer["peer"]: Peer.from_wire(peer) for peer in reply["peers"] if peer["peer"] != me}
        self.producers = {p["id"]: Producer.from_wire(p) for p in reply["producers"] if p["peer"] != me}

    def resumed(self, reply: Mapping[str, Any]) -> None:
        """Takes a reply that brings missed events: they, not its lists, say what changed."""
        self._head(reply)

    def replace(self, reply: Mapping[str, Any]) -> list[Event]:
        """Takes a whole new snapshot, and returns as events what is different, so that listeners have one
        path.
        """
        peers, producers, own = self.peers, self.producers, self.own
        self._head(reply)
        self._take(reply)
        self.own = _own(reply)
        closed = own - self.own if reply.get("resumed") and "producers" in reply["you"] else set()
        return [
            *(Event("producerClosed", {"id": id, "peer": self.you.id, "reason": "missed"}) for id in closed),
            *self._differences(peers, producers),
        ]

    def _differences(self, peers: dict[str, Peer], producers: dict[str, Producer]) -> Iterator[Event]:
        stayed = {
            id for id in producers.keys() & self.producers.keys() if _same(producers[id], self.producers[id])
        }
        for id in producers.keys() - stayed:
            yield Event("producerClosed", {"id": id, "peer": producers[id].peer, "reason": "missed"})
        for id in peers.keys() - self.peers.keys():
            yield Event("peerLeft", {"peer": id, "reason": "missed"})
        for id, peer in self.peers.items():
            if id not in peers:
                yield Event("peerJoined", {"peer": id, **_wire(peer), "suspended": False})
            if peer.suspended != (id in peers and peers[id].suspended):
                yield Event("peerSuspended" if peer.suspended else "peerResumed", {"peer": id})
        for id, producer in self.producers.items():
            if id not in stayed:
                yield Event("producerAdded", _wire(producer) | {"id": id})
            elif producer.paused != producers[id].paused:
                name = "producerPaused" if producer.paused else "producerResumed"
                yield Event(name, {"id": id, "peer": producer.peer})

    def apply(self, event: Event) -> None:
        """Changes the picture as the event says. Events of things that are not here are ignored."""
        peer = self.peers.get(event.get("peer", ""))
        producer = self.producers.get(event.get("id", ""))
        match event.name:
            case "peerJoined" if event["peer"] != self.you.id:
                self.peers[event["peer"]] = Peer.from_wire(event.params)
            case "peerLeft":
                self.peers.pop(event["peer"], None)
                self.producers = {id: p for id, p in self.producers.items() if p.peer != event["peer"]}
            case "peerSuspended" | "peerResumed" if peer is not None:
                peer.suspended = event.name == "peerSuspended"
            case "peerRole" if peer is not None:
                peer.role = event["role"]
            case "producerAdded" if event["peer"] != self.you.id:
                self.producers[event["id"]] = Producer.from_wire(event.params)
            case "producerClosed":
                self.producers.pop(event["id"], None)
                self.own.discard(event["id"])
            case "producerPaused" | "producerResumed" if producer is not None:
                producer.paused = event.name == "producerPaused"
            case "roomLocked" | "roomUnlocked":
                self.locked = event.name == "roomLocked"


def _own(reply: Mapping[str, Any]) -> set[str]:
    """The producers of a join reply that are your own."""
    return {producer["id"] for producer in reply["you"].get("producers", ())}


def _same(old: Producer, new: Producer) -> bool:
    """Ids are chosen by clients, so that the same id may name another producer by now."""
    return (old.peer, old.kind, old.source) == (new.peer, new.kind, new.source)


def _wire(thing: Peer | Producer) -> dict[str, Any]:
    return {name: getattr(thing, name) for name in thing.__struct_fields__ if name != "id"}
