"""Laws of the codec: any bytes are accepted or refused with a documented error; what is written can be read."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palaver.protocol.codec import JSON, MSGPACK, Codec, Envelope, Refused
from palaver.protocol.errors import REASONS, ProtocolError
from palaver.protocol.events import PeerJoined, PeerSuspended, TransportIce
from palaver.protocol.methods.table import METHODS
from palaver.protocol.methods.transport import IceCandidate
from palaver.protocol.types import Candidate

CODECS = pytest.mark.parametrize("codec", [JSON, MSGPACK], ids=lambda codec: codec.name)
MODULES: dict[str, Any] = {"json": msgspec.json, "msgpack": msgspec.msgpack}

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=10), inner, max_size=5),
    max_leaves=20,
)


@CODECS
@given(message=st.binary(max_size=200))
def test_any_bytes_are_requests_or_refused_with_a_reason(codec: Codec, message: bytes) -> None:
    requests, _ = codec.requests(message)
    assert requests
    for request in requests:
        if isinstance(request, Refused):
            assert request.error.reason in ("parse_error", "invalid_request")
        else:
            assert isinstance(request, Envelope)


@CODECS
@given(message=values)
def test_any_value_is_a_request_or_refused(codec: Codec, message: Any) -> None:
    encoded = MODULES[codec.name].encode(message)
    requests, is_batch = codec.requests(encoded)
    assert is_batch == (isinstance(message, list) and 1 <= len(message) <= 32)
    for request in requests:
        failure = codec.failure(request.id if isinstance(request, Refused) else 1, ProtocolError("limit"))
        assert "error" in MODULES[codec.name].decode(failure)


@CODECS
@given(method=st.sampled_from(sorted(METHODS)), params=values)
def test_any_params_fit_or_are_refused_with_a_path(codec: Codec, method: str, params: Any) -> None:
    kind = METHODS[method].params
    try:
        decoded = codec.params_of(msgspec.Raw(MODULES[codec.name].encode(params)), kind)
    except ProtocolError as error:
        assert error.reason == "invalid_params"
        assert error.body()["data"]["path"].startswith("$")
    else:
        assert isinstance(decoded, kind)


@CODECS
@given(
    candidate=st.from_regex(r"[ -~]{0,80}", fullmatch=True),
    index=st.none() | st.integers(0, 65535),
    generation=st.integers(0, 2**31 - 1),
    end=st.booleans(),
)
def test_params_survive_a_round_trip(
    codec: Codec, candidate: str, index: int | None, generation: int, end: bool
) -> None:
    params = IceCandidate("t", generation, [Candidate(candidate, sdpMLineIndex=index), candidate], end=end)
    raw = msgspec.Raw(MODULES[codec.name].encode(params))
    assert codec.params_of(raw, IceCandidate) == params


@CODECS
@given(
    epoch=st.integers(1, 2**40),
    seq=st.integers(1, 2**50),
    prev=st.integers(0, 2**50),
    text=st.text(max_size=40),
)
def test_an_event_reads_as_its_head_and_its_body(
    codec: Codec, epoch: int, seq: int, prev: int, text: str
) -> None:
    event = PeerJoined("p", "i", "owner", text, {text: text})
    whole = MODULES[codec.name].decode(codec.event(event.method, epoch, seq, prev, codec.body(event)))
    head = {"epoch": epoch, "seq": seq, "prev": prev}
    assert whole == {
        "jsonrpc": "2.0",
        "method": "peerJoined",
        "params": {**head, **msgspec.to_builtins(event)},
    }
    assert list(whole["params"])[:3] == ["epoch", "seq", "prev"]


@CODECS
@given(depth=st.integers(28, 40), kind=st.sampled_from(["list", "dict"]))
def test_nesting_over_thirty_two_is_refused_and_under_it_is_not(codec: Codec, depth: int, kind: str) -> None:
    deep: Any = 1
    for _ in range(depth):
        deep = [deep] if kind == "list" else {"x": deep}
    raw = msgspec.Raw(MODULES[codec.name].encode({"t": 1, "more": deep}))
    try:
        codec.params_of(raw, METHODS["heartbeat"].params)
        refused = False
    except ProtocolError:
        refused = True
    assert refused == (depth + 1 > 32)


def test_brackets_in_strings_do_not_count_as_nesting() -> None:
    raw = msgspec.Raw(json.dumps({"t": 1, "more": '[{"' * 100}).encode())
    JSON.params_of(raw, METHODS["heartbeat"].params)


def test_receivers_in_step_share_one_body() -> None:
    body = JSON.body(PeerSuspended("p"))
    assert JSON.event("peerSuspended", 1, 2, 1, body).endswith(body[1:] + b"}")
    assert JSON.body(TransportIce("a", "t", 1, ["c"])).startswith(b'{"from":"a"')


def test_every_code_is_of_one_reason_and_in_its_range() -> None:
    codes = [code for code, _, _ in REASONS.values()]
    assert len(set(codes)) == len(codes)
    assert all(code in (-32700, -32600, -32601, -32602) or -32099 <= code <= -32000 for code in codes)
    assert REASONS["room_locked"][0] == -32011
