from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palaver.rtc import Description, SdpError

VIDEO = (
    "m=video 9 UDP/TLS/RTP/SAVPF 97",
    "a=mid:0",
    "a=rtcp-mux",
    "a=ice-ufrag:abcd",
    "a=ice-pwd:abcdefghijklmnopqrstuv",
    "a=fingerprint:sha-256 00:11",
    "a=setup:actpass",
)
AUDIO = ("m=audio 9 UDP/TLS/RTP/SAVPF 96", "a=mid:1", "a=rtcp-mux", "a=recvonly")
SESSION = ("v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0", "a=group:BUNDLE 0 1")
HOST = "a=candidate:1 1 udp 2130706431 127.0.0.1 {} typ host"


def sdp(*parts: tuple[str, ...] | str) -> str:
    lines = [line for part in parts for line in ((part,) if isinstance(part, str) else part)]
    return "\r\n".join(lines) + "\r\n"


def test_sections_have_their_mid_kind_and_direction() -> None:
    description = Description.parse(sdp(SESSION, VIDEO, AUDIO))
    assert [(s.mid, s.kind, s.direction) for s in description.sections] == [
        ("0", "video", "sendrecv"),
        ("1", "audio", "recvonly"),
    ]
    assert "a=sendrecv" in description.text


def test_candidates_are_taken_out_and_are_those_of_the_first_section_that_has_any() -> None:
    text = sdp(
        SESSION, VIDEO, "a=end-of-candidates", AUDIO, HOST.format(1), HOST.format(2), "a=end-of-candidates"
    )
    description = Description.parse(text)
    assert description.candidates == (HOST.format(1), HOST.format(2))
    assert "candidate" not in description.text
    assert Description.parse(sdp(SESSION, VIDEO, HOST.format(7), AUDIO, HOST.format(8))).candidates == (
        HOST.format(7),
    )


def test_the_identity_changes_with_credentials_and_with_the_certificate() -> None:
    text = sdp(SESSION, VIDEO, AUDIO)
    identity = Description.parse(text).identity
    assert Description.parse(text + HOST.format(9)).identity == identity
    assert Description.parse(text.replace("abcd\r", "abce\r")).identity != identity
    assert Description.parse(text.replace("00:11", "00:12")).identity != identity


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("hello", 1),
        (sdp(SESSION), None),
        (sdp(SESSION[:-1], VIDEO, AUDIO), None),
        (sdp(SESSION, VIDEO, AUDIO[0], AUDIO[2:]), 13),
        (sdp(SESSION, VIDEO, AUDIO[:2]), 13),
        (sdp(SESSION, VIDEO, AUDIO[0], "a=mid:0", AUDIO[2:]), 13),
        (sdp(SESSION[:-1], "a=group:BUNDLE 0", VIDEO, AUDIO), 5),
        (sdp(SESSION, VIDEO[:3], VIDEO[4:]), 6),
        (sdp(SESSION, "m=video nine UDP/TLS/RTP/SAVPF 97", VIDEO[1:]), 6),
        (sdp(SESSION, "m=text 9 UDP/TLS/RTP/SAVPF 97", VIDEO[1:]), 6),
        (sdp(SESSION, "m=video 0 UDP/TLS/RTP/SAVPF 97", VIDEO[1:]), 6),
        (sdp(SESSION, VIDEO, "a=candidate:1 1 udp"), 13),
        (sdp(SESSION, VIDEO * 65), 6 + 64 * len(VIDEO)),
    ],
)
def test_a_broken_rule_is_refused_with_its_line(text: str, line: int | None) -> None:
    with pytest.raises(SdpError) as caught:
        Description.parse(text)
    assert caught.value.line == line


@given(
    st.lists(st.sampled_from([*SESSION, *VIDEO, *AUDIO, "", "m=", "a=", "a=mid:", "a=candidate:", "\x00"]))
)
def test_any_text_is_accepted_or_refused_with_a_reason(lines: list[str]) -> None:
    with contextlib.suppress(SdpError):
        assert Description.parse("v=0\n" + "\n".join(lines)).sections
