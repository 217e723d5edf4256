"""What it costs to read a request and to write a reply or an event, in either encoding (pytest-benchmark)."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from bench_room import CANDIDATE, SDP
from pytest_benchmark.fixture import BenchmarkFixture

from palaver.protocol.codec import JSON, MSGPACK, Codec, Envelope
from palaver.protocol.events import ProducerPaused, TransportOffer
from palaver.protocol.methods.session import Empty
from palaver.protocol.methods.table import METHODS

REQUESTS: dict[str, dict[str, Any]] = {
    "heartbeat": {"t": 12.5, "seqSeen": 1},
    "iceCandidate": {
        "transport": "p",
        "to": "p_0123456789abcdef01",
        "generation": 1,
        "candidates": [CANDIDATE],
    },
    "sdpOffer": {
        "transport": "p",
        "direction": "p2p",
        "to": "p_0123456789abcdef01",
        "sdp": SDP,
        "generation": 1,
    },
}


@pytest.fixture(params=[JSON, MSGPACK], ids=["json", "msgpack"])
def codec(request: pytest.FixtureRequest) -> Codec:
    codec: Codec = request.param
    return codec


def message(codec: Codec, method: str) -> bytes:
    request = {"jsonrpc": "2.0", "id": 7, "method": method, "params": REQUESTS[method]}
    if codec is MSGPACK:
        return msgspec.msgpack.encode(request)
    return json.dumps(request, separators=(",", ":")).encode()


def envelope(codec: Codec, data: bytes) -> Envelope:
    found = codec.requests(data)[0][0]
    assert isinstance(found, Envelope)
    return found


@pytest.mark.parametrize("method", REQUESTS)
def test_read_the_envelope(benchmark: BenchmarkFixture, codec: Codec, method: str) -> None:
    data = message(codec, method)
    benchmark(lambda: codec.requests(data))
    assert envelope(codec, data).method == method


@pytest.mark.parametrize("method", REQUESTS)
def test_read_the_params(benchmark: BenchmarkFixture, codec: Codec, method: str) -> None:
    raw, kind = envelope(codec, message(codec, method)).params, METHODS[method].params
    assert isinstance(benchmark(lambda: codec.params_of(raw, kind)), kind)


def test_write_a_reply(benchmark: BenchmarkFixture, codec: Codec) -> None:
    result = Empty()
    assert benchmark(lambda: codec.reply(7, result))


@pytest.mark.parametrize(
    "event", [ProducerPaused("mic", "p_1"), TransportOffer("p_1", "p", SDP, 1)], ids=["short", "sdp"]
)
def test_write_the_body_of_an_event(
    benchmark: BenchmarkFixture, codec: Codec, event: ProducerPaused | TransportOffer
) -> None:
    assert benchmark(lambda: codec.body(event))


@pytest.mark.parametrize(
    "event", [ProducerPaused("mic", "p_1"), TransportOffer("p_1", "p", SDP, 1)], ids=["short", "sdp"]
)
def test_put_the_head_before_a_body(
    benchmark: BenchmarkFixture, codec: Codec, event: ProducerPaused | TransportOffer
) -> None:
    body = codec.body(event)
    assert benchmark(lambda: codec.event(event.method, 1, 41, 40, body))
