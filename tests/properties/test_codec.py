"""Laws of the codec: any bytes are accepted or refused with a documented error; what is written can be read."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palaver.protocol.codec import JSON, MSGPACK, Codec
from palaver.protocol.errors import REASONS, ProtocolError
from palaver.protocol.events import PeerJoined, PeerSuspended, TransportIce
from palaver.protocol.methods.table import METHODS
from palaver.protocol.methods.transport import IceCandidate
from palaver.protocol.request import Envelope, Refused
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


def nested(kind: str, depth: int) -> Any:
    deep: Any = 1
    for _ in range(depth):
        deep = [deep] if kind == "list" else {"x": deep}
    return deep


@CODECS
@given(
    depth=st.integers(26, 40),
    kind=st.sampled_from(["list", "dict"]),
    where=st.sampled_from(["params", "envelope", "id", "batch"]),
)
def test_a_whole_message_nests_thirty_two_levels_and_no_deeper(
    codec: Codec, depth: int, kind: str, where: str
) -> None:
    request: dict[str, Any] = {"jsonrpc": "2.0", "id": 7, "method": "heartbeat", "params": {"t": 1}}
    match where:
        case "params":
            request["params"]["more"] = nested(kind, depth - 2)
        case "envelope":
            request["more"] = nested(kind, depth - 1)
        case "id":
            request["id"] = nested(kind, depth - 1)
        case "batch":
            request["params"]["more"] = nested(kind, depth - 3)
    good = {"jsonrpc": "2.0", "id": 8, "method": "heartbeat"}
    message = MODULES[codec.name].encode([good, request] if where == "batch" else request)
    *before, read = codec.requests(message)[0]
    assert all(isinstance(each, Envelope) for each in before), "one deep request does not spoil its batch"
    if where == "id":
        assert isinstance(read, Refused)
        assert (read.id, read.error.reason) == (None, "invalid_request")
    elif depth <= 32:
        assert isinstance(read, Envelope)
    else:
        assert isinstance(read, Refused)
        reason = "invalid_request" if where == "envelope" else "invalid_params"
        assert (read.id, read.error.reason) == (7, reason)


@CODECS
@given(value=values)
def test_depth_is_measured_as_the_decoder_sees_it(codec: Codec, value: Any) -> None:
    def depth(value: Any) -> int:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
        return 0 if inner is None else 1 + max(map(depth, inner), default=0)

    message = MODULES[codec.name].encode(value)
    for levels in range(1, 8):
        assert codec._nests_deeper(message, levels) == (depth(value) > levels)
        if not codec._may_nest_deeper(message, levels):
            assert depth(value) <= levels


def test_brackets_in_strings_do_not_count_as_nesting() -> None:
    for text in ('[{"' * 100, "[\\" * 100, '\\"[' * 100):
        request = {"jsonrpc": "2.0", "id": 1, "method": "heartbeat", "params": {"more": [text, text]}}
        [read], _ = JSON.requests(json.dumps(request).encode())
        assert isinstance(read, Envelope)


def test_a_map_with_keys_that_no_object_has_does_not_hide_its_depth() -> None:
    hidden = b"\x81" + b"\x91" * 50 + b"\x01" + b"\xc0"
    head = b"\x83" + b"".join(map(msgspec.msgpack.encode, ("jsonrpc", "2.0", "method", "heartbeat", "more")))
    [read], _ = MSGPACK.requests(head + hidden)
    assert isinstance(read, Refused)


@CODECS
@pytest.mark.parametrize("id", [0, 2**53, 2**63 - 1, 2**63, 2**64 - 1])
def test_an_integer_id_has_up_to_64_bits(codec: Codec, id: int) -> None:
    message = MODULES[codec.name].encode({"jsonrpc": "2.0", "id": id, "method": "heartbeat"})
    [read], _ = codec.requests(message)
    assert isinstance(read, Envelope)
    assert read.id == id
    assert MODULES[codec.name].decode(codec.reply(id, {}))["id"] == id


@pytest.mark.parametrize("id", ["-1", str(2**64), "1" + "0" * 30, "9" * 5000, "1.0"])
def test_other_numbers_are_no_ids(id: str) -> None:
    [read], _ = JSON.requests(f'{{"jsonrpc":"2.0","id":{id},"method":"heartbeat"}}'.encode())
    assert isinstance(read, Refused)
    assert read.id is None


def test_receivers_in_step_share_one_body() -> None:
    body = JSON.body(PeerSuspended("p"))
    assert JSON.event("peerSuspended", 1, 2, 1, body).endswith(body[1:] + b"}")
    assert JSON.body(TransportIce("a", "t", 1, ["c"])).startswith(b'{"from":"a"')


def test_every_code_is_of_one_reason_and_in_its_range() -> None:
    codes = [code for code, _, _ in REASONS.values()]
    assert len(set(codes)) == len(codes)
    assert all(code in (-32700, -32600, -32601, -32602) or -32099 <= code <= -32000 for code in codes)
    assert REASONS["room_locked"][0] == -32011
