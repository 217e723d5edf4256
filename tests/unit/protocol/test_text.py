"""Text is in NFC and without control characters, wherever in the params it stands and however it is spelt."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from palaver.protocol.codec import JSON, MSGPACK
from palaver.protocol.errors import ProtocolError
from palaver.protocol.methods.session import Join
from palaver.protocol.methods.transport import IceCandidate, SdpOffer
from palaver.protocol.text import is_clean
from palaver.protocol.types import Params

CONTROL = [chr(each) for each in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)]


def spellings(params: dict[str, Any]) -> list[tuple[Any, bytes]]:
    """The same params in each encoding; JSON with and without escapes for what is not ASCII."""
    escaped, bare = json.dumps(params), json.dumps(params, ensure_ascii=False)
    return [(JSON, escaped.encode()), (JSON, bare.encode()), (MSGPACK, msgspec.msgpack.encode(params))]


def refused_at(params: dict[str, Any], kind: type[Params]) -> set[tuple[str, str]]:
    """Path and rule of the refusal, in every spelling."""
    refusals = set()
    for codec, data in spellings(params):
        with pytest.raises(ProtocolError) as refused:
            codec.params_of(Raw(data), kind)
        refusals.add((refused.value.extra["path"], str(refused.value)))
    return refusals


@pytest.mark.parametrize("character", CONTROL, ids=ascii)
def test_control_characters_are_refused_in_every_spelling(character: str) -> None:
    params = {"transport": f"a{character}b", "generation": 1}
    assert refused_at(params, IceCandidate) == {("$.transport", "text must have no control characters")}


@pytest.mark.parametrize(
    ("params", "path"),
    [
        ({"transport": "t", "generation": 1, "candidates": ["a\tb"]}, "$.candidates[0]"),
        (
            {"transport": "t", "generation": 1, "candidates": [{"candidate": "a\r\nb"}]},
            "$.candidates[0].candidate",
        ),
        (
            {"transport": "t", "generation": 1, "candidates": [{"candidate": "", "sdpMid": "\x7f"}]},
            "$.candidates[0].sdpMid",
        ),
    ],
)
def test_the_path_says_where_in_the_params(params: dict[str, Any], path: str) -> None:
    assert refused_at(params, IceCandidate) == {(path, "text must have no control characters")}


def test_keys_of_attributes_are_names_and_values_may_have_lines() -> None:
    for codec, data in spellings({"room": "r", "attributes": {"about": "one\ntwo"}}):
        assert codec.params_of(Raw(data), Join).attributes == {"about": "one\ntwo"}
    assert refused_at({"room": "r", "attributes": {"a\nb": ""}}, Join) == {
        ("$.attributes", "text must have no control characters")
    }
    assert refused_at({"room": "r", "attributes": {"a": "e\u0301"}}, Join) == {
        ("$.attributes.a", "text must be in Unicode NFC")
    }


def test_an_sdp_is_no_name_and_stays_as_it_came() -> None:
    sdp = "v=0\r\ns=e\u0301\r\n"
    for codec, data in spellings({"transport": "t", "direction": "p2p", "sdp": sdp, "generation": 1}):
        assert codec.params_of(Raw(data), SdpOffer).sdp == sdp


def test_only_text_is_judged() -> None:
    assert is_clean({"a": [1, 2.5, None, True, {"b": "c"}]})
