"""Tokens are taken apart as the library takes them apart."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import Any

import jwt
from hypothesis import example, given
from hypothesis import strategies as st

from palaver.signaling.jws import Parts, parts_of

headers = st.dictionaries(
    st.sampled_from(["alg", "typ", "kid", "crit", "b64", "x"]),
    st.sampled_from(["HS256", "JWT", 1, None, [], ["b64"], False, True, {}]),
).map(json.dumps)
texts = st.one_of(
    headers, st.sampled_from(["", "{", "[]", "7", '{"a":"\u00fc"}', "[" * 10_000]), st.text(max_size=20)
)
segments = st.one_of(
    texts.map(lambda text: urlsafe_b64encode(text.encode("utf-8", "replace")).rstrip(b"=")),
    st.text("AQgw-_", max_size=9).map(str.encode),  # mostly with bits left over
    st.sampled_from([b"e30=", b"e30", b"e3A", b"e30+", b"e30 ", b"=", b"e30\n", b"\xff"]),
)
tokens = st.lists(segments, min_size=1, max_size=4).map(b".".join)


def outcome(read: Any, token: bytes) -> Parts | str:
    try:
        return read(token)  # type: ignore[no-any-return]
    except (jwt.PyJWTError, ValueError, RecursionError):
        return "refused"


def by_the_library(token: bytes) -> Parts:
    parts = jwt.PyJWS().decode_complete(token, options={"verify_signature": False})
    return Parts(parts["header"], parts["payload"], parts["signature"])


@given(tokens)
@example(b"e30.e30.AA")
@example(b"e30.e30.AB")
@example(b"e30.e30.")
@example(b"e30..AA")
def test_a_token_has_the_parts_that_the_library_finds(token: bytes) -> None:
    assert outcome(parts_of, token) == outcome(by_the_library, token)
