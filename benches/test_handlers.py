"""What the handlers cost: params are decoded, the decision is made, nothing is written (pytest-benchmark)."""

from __future__ import annotations

from typing import Any

import pytest
from bench_room import CANDIDATE, SDP, Room
from msgspec import UNSET, Raw
from pytest_benchmark.fixture import BenchmarkFixture

from palaver.protocol.codec import JSON
from palaver.protocol.methods.table import METHODS
from palaver.signaling.message import Message

VERBS: dict[str, dict[str, Any]] = {
    "heartbeat": {"t": 12.5, "seqSeen": 1},
    "roomInfo": {},
    "join": {"room": "room"},  # again: the snapshot
    "iceCandidate": {"transport": "p", "to": "peer", "generation": 1, "candidates": [CANDIDATE]},
    "sdpOffer": {"transport": "p", "direction": "p2p", "to": "peer", "sdp": SDP, "generation": 1},  # a repeat
    "pauseProducer": {"id": "mic"},
    "createProducer": {"id": "mic", "transport": "t", "kind": "audio", "source": "microphone"},  # a repeat
    "networkQuality": {"rttMs": 40, "lossUp": 0.01, "lossDown": 0, "jitterMs": 3},
    "mute": {"target": "self"},
    "debugPing": {"target": "node"},
}


@pytest.mark.parametrize("method", VERBS)
def test_decide(benchmark: BenchmarkFixture, method: str) -> None:
    room = Room(10)
    one, peer = room.sinks[0], room.peers[1]
    room.call(one, "createProducer", id="mic", transport="t", kind="audio", source="microphone")
    room.call(one, "sdpOffer", transport="p", direction="p2p", to=peer, sdp=SDP, generation=1)
    values = {key: peer if value == "peer" else value for key, value in VERBS[method].items()}
    params = JSON.params_of(Raw(JSON._encode(values)), METHODS[method].params)
    verb = room.stage.plane.router._verbs[method]
    message = Message(room.messages._callers[one.id], JSON, method, UNSET, room.stage.now, 0)
    changed = room.stage.plane.sessions.rooms["room"]

    def decide() -> object:
        result = verb(message, params)
        changed._pending.clear()
        return result

    assert benchmark(decide) is not None
