"""The SDP check agrees with the rule read line by line, whatever the text."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from palaver.protocol.errors import ProtocolError
from palaver.signaling.sdp import check_sdp

pieces = st.sampled_from(["v=0", "a=x", "m=", "=", "a", "", "é=1", "Z=1", "a=\0", "a=é", " a=1"])
ends = st.sampled_from(["\r\n", "\n", "\r", "\r\r\n", "\n\r", ""])


def first_bad_line(sdp: str) -> int | None:
    """RFC 8866 § 5 in the plainest way: lines end with LF, a CR before it belongs to the end."""
    body = sdp[:-1] if sdp.endswith("\n") else sdp
    lines = [line[:-1] if line.endswith("\r") else line for line in body.split("\n")]
    if body.endswith("\r") and not sdp.endswith("\n"):
        lines[-1] += "\r"  # a CR at the very end stands alone
    if lines[0] != "v=0" or "\n" not in sdp:
        return 1
    for number, line in enumerate(lines, 1):
        if not re.fullmatch(r"[a-z]=[^\r\n\0]*", line):
            return number
    return None


@given(
    st.lists(st.tuples(pieces, ends), max_size=8).map(lambda lines: "v=0\r\n" + "".join(map("".join, lines)))
)
@example("v=0\r\na=x\r\nb=y")
@example("v=0\na=x\r\n")
@example("v=0\r\n\r")
@example("v=0")
@example("v=0\r\na=1\r\r\nb=1\n")
def test_the_check_agrees_with_the_plain_rule(sdp: str) -> None:
    try:
        check_sdp(sdp, 1000)
        found = None
    except ProtocolError as error:
        assert error.reason == "bad_sdp"
        found = error.body()["data"]["line"]
    assert found == first_bad_line(sdp)


@given(st.text(max_size=50))
def test_any_text_is_accepted_or_named(sdp: str) -> None:
    try:
        check_sdp(sdp, 40)
    except ProtocolError as error:
        assert error.reason in ("bad_sdp", "too_large")
