"""Random interleavings of several clients against the whole signaling plane, with a model of what must hold.

Invariants after each step: events are causal and free of gaps, what a client can build from its events is what the
server says, caps are exact, no object outlives its owner, and nobody's role rises without the right to raise it.
"""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from harness.plane import SDP, Client, Refusal, Stage
from harness.settings import node_settings
from palaver.rooms.role import RANK

IDENTITIES = ("alice", "bob", "carol", "dave")
ROLES: dict[str, Any] = {"alice": "owner", "bob": "moderator", "carol": "participant", "dave": "observer"}
CAP = 3

who = st.sampled_from(IDENTITIES)


class View:
    """What a client knows of the room from its join reply and the events since."""

    def __init__(self, reply: dict[str, Any]) -> None:
        self.me = reply["you"]["peer"]
        self.peers = {each["peer"]: each["role"] for each in reply["peers"]}
        self.producers = {each["id"]: each["paused"] for each in reply["producers"]}

    def apply(self, method: str, params: dict[str, Any]) -> None:
        match method:
            case "peerJoined":
                self.peers[params["peer"]] = params["role"]
            case "peerLeft":
                del self.peers[params["peer"]]
            case "peerRole":
                self.peers[params["peer"]] = params["role"]
            case "peerSuspended" | "peerResumed":
                assert params["peer"] in self.peers, "nothing refers to a peer before it was introduced"
            case "producerAdded":
                assert params["peer"] in self.peers
                self.producers[params["id"]] = params["paused"]
            case "producerClosed":
                self.producers.pop(
                    params["id"], None
                )  # one's own, closed by a moderator, was never in the view
            case "producerPaused" | "producerResumed":
                if params["peer"] != self.me:
                    assert params["id"] in self.producers
                    self.producers[params["id"]] = method == "producerPaused"
            case "transportOffer" | "transportAnswer" | "transportIce":
                assert params["from"] in self.peers


class Plane(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.stage = Stage(node_settings(limits={"room_participants": CAP, "log_events": 16}))
        self.clients: dict[str, Client] = {}
        self.lost: dict[str, Client] = {}
        self.views: dict[str, View] = {}
        self.raised: set[tuple[str, str]] = set()

    # --- steps ---

    @rule(identity=who)
    def join(self, identity: str) -> None:
        room = self.stage.plane.sessions.rooms.get("room")
        seated = room is not None and identity in room.peer_of
        full = room is not None and len(room.participants) >= CAP
        locked = room is not None and room.lock is not None and RANK[ROLES[identity]] < RANK["moderator"]
        client = self.stage.connect()
        try:
            reply = client.join(token=self.stage.token(identity, role=ROLES[identity]))
        except Refusal as refused:
            assert refused.reason == ("room_locked" if locked else "room_full")
            assert not seated
            assert locked or full
            return
        assert seated or not full
        self.lost.pop(identity, None)
        self.clients[identity] = client
        self.views[identity] = View(reply)

    @rule(identity=who)
    def lose(self, identity: str) -> None:
        if identity in self.clients:
            self._settle(identity)
            self.lost[identity] = self.clients.pop(identity)
            self.lost[identity].lose()

    @rule(identity=who)
    def resume(self, identity: str) -> None:
        before = self.lost.get(identity)
        if before is None:
            return
        client = self.stage.connect(bearer=self.stage.token(identity, role=ROLES[identity]))
        try:
            reply = client.resume(before)
        except Refusal as refused:
            assert refused.reason == "not_found"
            return
        del self.lost[identity]
        self.clients[identity] = client
        if reply["missed"] == "snapshot":
            self.views[identity] = View(reply)

    @rule(identity=who)
    def leave(self, identity: str) -> None:
        if identity in self.clients:
            self._settle(identity)
            self.clients.pop(identity).call("leave")
            del self.views[identity]

    @rule(seconds=st.sampled_from([0.5, 1.5, 2.5, 9.0, 11.0]))
    def wait(self, seconds: float) -> None:
        self.stage.advance(seconds)

    @rule(identity=who, id=st.sampled_from("xyz"), allow=st.none() | st.lists(who, max_size=2))
    def publish(self, identity: str, id: str, allow: list[str] | None) -> None:
        more = {} if allow is None else {"allow": allow}
        known = {*self.views[identity].producers} if identity in self.clients else set()
        room = self.stage.plane.sessions.rooms.get("room")
        own = room.participants[self.clients[identity].peer].producers if room and known else {}
        made = self._try(
            identity, "createProducer", id=id, transport="t", kind="video", source="camera", **more
        )
        if made is not None:
            assert id not in known or id in own, "what one sees keeps its name"

    @rule(
        identity=who,
        id=st.sampled_from("xyz"),
        method=st.sampled_from(["closeProducer", "pauseProducer", "resumeProducer"]),
    )
    def change_producer(self, identity: str, id: str, method: str) -> None:
        reply = self._try(identity, method, id=id)
        if reply is not None and "paused" in reply and id in self.views[identity].producers:
            self._settle(identity)  # what one did oneself one learns from the reply
            self.views[identity].producers[id] = any(reply["paused"].values())

    @rule(identity=who, other=who, method=st.sampled_from(["mute", "unmute"]), everybody=st.booleans())
    def mute(self, identity: str, other: str, method: str, everybody: bool) -> None:
        if other not in self.clients or identity not in self.clients:
            return
        target: dict[str, Any] = {"allExcept": []} if everybody else {"peer": self.clients[other].peer}
        if self._try(identity, method, target=target):
            self._settle(identity)  # what one did oneself one learns from the reply, or looks up
            view = self.views[identity]
            for each in self.clients[identity].call("roomInfo")["producers"]:
                if each["id"] in view.producers and each["peer"] != view.me:
                    view.producers[each["id"]] = each["paused"]

    @rule(identity=who, hidden=st.booleans())
    def refresh(self, identity: str, hidden: bool) -> None:
        token = self.stage.token(identity, role=ROLES[identity], hidden=hidden)
        self._try(identity, "refreshToken", token=token)

    @rule(identity=who)
    def look_at_ones_own(self, identity: str) -> None:
        if identity in self.clients:
            room = self.stage.plane.sessions.rooms["room"]
            own = self.clients[identity].call("join", room="room")["you"]["producers"]
            seat = room.participants[self.clients[identity].peer]
            assert {each["id"]: each["paused"] for each in own} == {
                each.id: each.paused for each in seat.producers.values()
            }

    @rule(identity=who, id=st.sampled_from("xyz"))
    def consume(self, identity: str, id: str) -> None:
        self._try(identity, "createConsumer", id=f"of {id}", producer=id, transport="r", paused=False)

    @rule(
        identity=who,
        other=who,
        method=st.sampled_from(["sdpOffer", "sdpAnswer", "iceCandidate"]),
        generation=st.integers(1, 3),
    )
    def negotiate(self, identity: str, other: str, method: str, generation: int) -> None:
        if other not in self.clients:
            return
        more: dict[str, Any] = {"candidates": ["c"]} if method == "iceCandidate" else {"sdp": SDP}
        if method == "sdpOffer":
            more["direction"] = "p2p"
        to = self.clients[other].peer
        self._try(identity, method, transport="p", to=to, generation=generation, **more)

    @rule(identity=who, other=who)
    def kick(self, identity: str, other: str) -> None:
        if self._try(identity, "kickUser", identity=other) and other in self.clients:
            self._settle(other)
            closed = self.clients.pop(other).closed
            assert closed is not None
            assert closed[0] == 4502
            del self.views[other]

    @rule(identity=who, other=who, role=st.sampled_from(sorted(RANK)))
    def set_role(self, identity: str, other: str, role: str) -> None:
        if other not in self.clients or identity not in self.clients:
            return
        room = self.stage.plane.sessions.rooms["room"]
        actor = room.participants[self.clients[identity].peer]
        rank = actor.rank
        if self._try(identity, "setRole", peer=self.clients[other].peer, role=role):
            assert rank >= RANK["moderator"]
            assert RANK[role] <= rank  # type: ignore[index]
            if other != identity:
                self._settle(identity)
                self.views[identity].peers[self.clients[other].peer] = role

    @rule(identity=who, lock=st.booleans())
    def lock(self, identity: str, lock: bool) -> None:
        self._try(identity, "lockRoom" if lock else "unlockRoom")

    @rule(identity=who)
    def acknowledge(self, identity: str) -> None:
        if identity in self.clients:
            self._try(identity, "heartbeat", t=0, seqSeen=self.clients[identity].seq)

    def _try(self, caller: str, method: str, /, **params: Any) -> dict[str, Any] | None:
        """Calls where it can; a refusal (None) changes nothing in the room."""
        client = self.clients.get(caller)
        if client is None:
            return None
        room = self.stage.plane.sessions.rooms["room"]
        before = (room.log.seq, room.version)
        try:
            reply: dict[str, Any] = client.call(method, **params)
        except Refusal as refused:
            assert refused.reason not in ("internal", "invalid_params"), refused
            assert (room.log.seq, room.version) == before, f"{method} was refused and yet changed something"
            self.stage.now += 1.5  # ten errors in ten seconds would close
            return None
        return reply

    def _settle(self, identity: str) -> None:
        view = self.views[identity]
        for event in self.clients[identity].events:
            view.apply(event["method"], event["params"])
        self.clients[identity].events.clear()

    # --- what always holds ---

    @invariant()
    def views_are_the_servers(self) -> None:
        room = self.stage.plane.sessions.rooms.get("room")
        for identity, client in self.clients.items():
            if client.closed is not None:
                continue
            assert room is not None
            self._settle(identity)
            view = self.views[identity]
            others = {p.peer: p.role for p in room.participants.values() if p.peer != client.peer}
            assert view.peers == others
            shown = [p for p in room.producers if p.peer != client.peer and p.is_for(identity)]
            theirs = {p.id: p.paused for p in shown}
            assert len(theirs) == len(shown), "an id is one producer's for whoever sees it"
            assert {k: v for k, v in view.producers.items() if k in theirs} == theirs

    @invariant()
    def caps_are_exact(self) -> None:
        sessions = self.stage.plane.sessions
        seats = sum(len(room.participants) for room in sessions.rooms.values())
        assert seats == len(sessions.sessions)
        assert all(1 <= len(room.participants) <= CAP for room in sessions.rooms.values())

    @invariant()
    def no_object_outlives_its_owner(self) -> None:
        for room in self.stage.plane.sessions.rooms.values():
            for producer in room.producers:
                assert room.participants[producer.peer].producers[producer.id] is producer
                for (peer, id), consumer in producer.consumers.items():
                    assert room.participants[peer].consumers[id] is consumer
            for participant in room.participants.values():
                assert all(map(room.producers.holds, participant.producers.values()))
                assert all(room.producers.holds(each.source) for each in participant.consumers.values())
                assert all(room.may_see(participant, each.source) for each in participant.consumers.values())
                assert participant.links == {key for key in room.links if participant.peer in key[1:]}
                opened = sum(link.opener == participant.peer for link in room.links.values())
                assert participant.links_opened == opened
                assert participant.role != "observer" or not participant.producers
            assert all(peer in room.participants for key in room.links for peer in key[1:])

    @precondition(lambda self: not self.clients and not self.lost)
    @invariant()
    def nothing_is_left_when_all_have_left(self) -> None:
        sessions = self.stage.plane.sessions
        assert sessions.rooms == {}
        assert sessions.sessions == {}


Plane.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestPlane = Plane.TestCase
