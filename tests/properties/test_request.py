"""The pass in which a good request is decoded whole agrees with the closer look, whatever comes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Raw

from palaver.core import is_sound_sdp
from palaver.protocol.codec import JSON, MSGPACK, Codec
from palaver.protocol.errors import ProtocolError
from palaver.protocol.methods.table import METHODS
from palaver.protocol.request import Envelope
from palaver.signaling.sdp import check_sdp

ENCODERS: list[tuple[Codec, Callable[[Any], bytes]]] = [
    (JSON, msgspec.json.encode),
    (JSON, lambda value: json.dumps(value, indent=1).encode()),  # other escapes, and white space
    (MSGPACK, msgspec.msgpack.encode),
]
ENCODINGS = pytest.mark.parametrize(("codec", "encode"), ENCODERS, ids=["json", "json-ascii", "msgpack"])
GOOD_SDP = 'v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\na=x:"\\/\t\r\n'

sdps = st.lists(
    st.sampled_from(
        ["v=0", "\r\n", "\n", "\r", "a=x", "A=x", "a=\0", "a=é", '"', "\\", "a=\\n", "\u2028", "\x7f", ""]
    ),
    max_size=6,
).map(lambda pieces: "v=0\r\n" + "".join(pieces)) | st.text(max_size=20)
names = st.sampled_from(["p", "peer-2", "é", "e\u0301", "a\nb", "", "\x7f", "x" * 129, "\u2028"])
numbers = st.sampled_from([0, 1, 2**31 - 1, 2**31, -1, 1.5, "1", None])
exchanges = st.fixed_dictionaries(
    {},
    optional={
        "transport": names,
        "direction": st.sampled_from(["p2p", "send", "up"]),
        "sdp": sdps | st.integers(-(2**63), 2**63 - 1),
        "generation": numbers,
        "to": names,
        "candidates": st.lists(st.builds(dict, candidate=names) | names, max_size=3),
        "more": st.lists(st.none(), max_size=2),
    },
)
requests = st.fixed_dictionaries(
    {
        "jsonrpc": st.sampled_from(["2.0", "2.0", "1.0"]),
        "method": st.sampled_from([*sorted(METHODS), "sdpOffer", "sdpAnswer", "x"]),
    },
    optional={
        "id": st.sampled_from([0, 7, "a", 2**63, -1, None, "x" * 65]),
        "params": exchanges,
        "traceparent": st.sampled_from(["00-1-2-3", "x" * 65]),
    },
)


def offer(**changes: Any) -> dict[str, Any]:
    params = {"transport": "p", "direction": "p2p", "sdp": GOOD_SDP, "generation": 1, "to": "peer", **changes}
    return {"jsonrpc": "2.0", "id": 7, "method": "sdpOffer", "params": params}


@ENCODINGS
@given(request=requests)
@example(request=offer())
@example(request=offer(sdp="v=0\r\n\r\n"))
@example(request=offer(to="e\u0301"))
def test_both_ways_read_the_same(
    codec: Codec, encode: Callable[[Any], bytes], request: dict[str, Any]
) -> None:
    message = encode(request)
    whole = codec.request(message)
    if whole is None:
        return
    [envelope], is_batch = codec.requests(message)
    assert isinstance(envelope, Envelope)
    assert not is_batch
    assert (whole.method, whole.id, whole.traceparent) == (envelope.method, envelope.id, envelope.traceparent)
    params = codec.params_of(envelope.params, METHODS[envelope.method].params)
    for name in whole.params.__struct_fields__:
        field = getattr(whole.params, name)
        assert (codec.text(field) if isinstance(field, Raw) else field) == getattr(params, name)
    if whole.is_sealed:
        check_sdp(codec.text(whole.params.sdp), 10_000)


@ENCODINGS
def test_a_good_request_is_read_in_one_pass(codec: Codec, encode: Callable[[Any], bytes]) -> None:
    whole = codec.request(encode(offer()))
    assert whole is not None
    assert whole.is_sealed
    assert codec.text(whole.params.sdp) == GOOD_SDP
    for method, params in (
        ("leave", {}),
        ("heartbeat", {"t": 1}),
        ("iceCandidate", {"transport": "é", "generation": 0}),
    ):
        whole = codec.request(encode({"jsonrpc": "2.0", "method": method, "params": params}))
        assert whole is not None, method
        assert not whole.is_sealed


@ENCODINGS
def test_what_is_not_for_a_peer_or_not_in_order_is_left(codec: Codec, encode: Callable[[Any], bytes]) -> None:
    deep: list[Any] = []
    for _ in range(32):
        deep = [deep]
    for changes in (
        {"direction": "send"},
        {"to": None},
        {"sdp": "v=1\r\n"},
        {"generation": -1},
        {"to": "\x7f"},
    ):
        assert codec.request(encode(offer(**changes))) is None, changes
    assert codec.request(encode([offer()])) is None
    assert codec.request(encode(offer(more=deep))) is None
    assert codec.request(encode(offer(sdp="v=0\r\n" + "a=x\r\n" * 4000))) is None


@given(sdp=sdps)
def test_a_sound_sdp_is_a_good_sdp(sdp: str) -> None:
    try:
        check_sdp(sdp, 1000)
        good = True
    except ProtocolError:
        good = False
    assert is_sound_sdp(msgspec.msgpack.encode(sdp), 1000, True) == good
    for encoded in (msgspec.json.encode(sdp), json.dumps(sdp).encode()):
        sound = is_sound_sdp(encoded, 1000, False)
        assert sound == good or (good and b"\\u" in encoded)


@given(encoded=st.binary(max_size=40).map(lambda rest: b'"v=0\\r\\na=' + rest + b'"'))
def test_what_is_sound_can_be_decoded(encoded: bytes) -> None:
    if is_sound_sdp(encoded, 1000, False) and b'"' not in encoded[1:-1].replace(b'\\"', b""):
        check_sdp(json.loads(encoded), 1000)
