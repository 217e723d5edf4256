from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palaver.client import ConnectionLost, Event
from palaver.client.events import BACKLOG, EventStream
from palaver.client.room import Room
from palaver.client.wire import Codec, Message


def test_importing_the_client_does_not_import_aiortc() -> None:
    code = "import palaver.client, sys; sys.exit(bool({'aiortc', 'av', 'aioice'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("code", "reconnect"),
    [(1006, True), (1001, True), (1011, True), (4001, True), (4499, True), (4500, False), (4999, False)],
)
def test_the_close_code_says_whether_to_come_back(code: int, reconnect: bool) -> None:
    assert ConnectionLost(code).reconnect is reconnect


@given(st.binary(max_size=200), st.sampled_from(["json", "msgpack"]))
def test_any_bytes_are_messages_or_refused(data: bytes, encoding: str) -> None:
    try:
        messages = Codec(encoding).decode(data)
    except ValueError:
        return
    assert all(isinstance(message, Message) for message in messages)


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
def test_a_request_is_json_rpc(encoding: str) -> None:
    codec = Codec(encoding)
    (message,) = codec.decode(codec.request(7, "join", {"room": "r"}))
    assert (message.id, message.method, message.params) == (7, "join", {"room": "r"})


async def test_a_reader_that_is_too_slow_is_told_what_it_lost() -> None:
    stream = EventStream()
    for number in range(BACKLOG + 3):
        stream.put(Event("e", {"number": number}))
    assert await anext(stream) == Event("eventsDropped", {"count": 3})
    assert (await anext(stream))["number"] == 3


PEERS = st.sampled_from(["me", "a", "b", "c"])
PRODUCERS = st.sampled_from(["p", "q", "r"])
EVENTS = st.one_of(
    st.builds(lambda p: Event("peerJoined", {"peer": p, "identity": p}), PEERS),
    st.builds(
        lambda n, p: Event(n, {"peer": p}),
        st.sampled_from(["peerLeft", "peerSuspended", "peerResumed"]),
        PEERS,
    ),
    st.builds(
        lambda i, p: Event("producerAdded", {"id": i, "peer": p, "kind": "audio", "source": "microphone"}),
        PRODUCERS,
        PEERS,
    ),
    st.builds(
        lambda n, i: Event(n, {"id": i}),
        st.sampled_from(["producerClosed", "producerPaused", "producerResumed"]),
        PRODUCERS,
    ),
    st.just(Event("somethingNew", {"x": 1})),
)


def reply(room: Room | None = None) -> dict[str, object]:
    """The join reply that a node would give for this picture of the room."""
    peers = room.peers.values() if room else []
    producers = room.producers.values() if room else []
    return {
        "you": {"peer": "me", "identity": "me", "role": "owner", "grants": {}},
        "room": {"id": "r", "epoch": 1, "locked": False},
        "peers": [{"peer": p.id, "identity": p.identity, "suspended": p.suspended} for p in peers],
        "producers": [
            {"id": p.id, "peer": p.peer, "kind": p.kind, "source": p.source, "paused": p.paused}
            for p in producers
        ],
    }


def lived(events: list[Event]) -> Room:
    """A room after these events, without those that no node sends: nobody produces who is not there."""
    room = Room(reply())
    for event in events:
        if event.name != "producerAdded" or event["peer"] in room.peers:
            room.apply(event)
    return room


@given(st.lists(EVENTS), st.lists(EVENTS))
def test_the_differences_of_a_snapshot_lead_from_the_old_picture_to_the_new(
    before: list[Event], after: list[Event]
) -> None:
    """Whoever only hears events sees what the room shows."""
    old, listener, new = lived(before), lived(before), lived(after)
    for event in old.replace(reply(new)):
        listener.apply(event)
    assert (old.peers, old.producers) == (new.peers, new.producers)
    assert listener.peers.keys() == new.peers.keys()
    assert listener.producers == new.producers
    assert "me" not in listener.peers
