from __future__ import annotations

import pytest

from palaver.rtc.addresses import gathering_on
from palaver.rtc.candidates import mline_of, parse_candidate
from palaver.signaling.ports import Candidate


@pytest.mark.parametrize("prefix", ["", "candidate:", "a=candidate:"])
def test_a_candidate_is_read_with_and_without_its_prefix(prefix: str) -> None:
    candidate = parse_candidate(f"{prefix}1 1 UDP 2130706431 192.0.2.1 4000 typ host generation 0 ufrag x")
    assert candidate is not None
    assert (candidate.ip, candidate.port, candidate.type) == ("192.0.2.1", 4000, "host")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "candidate:",
        "candidate:1 1 udp 1 192.0.2.1",
        "candidate:1 one udp 1 192.0.2.1 4000 typ host",
        "candidate:1 1 udp 1 0a1b.local 4000 typ host",
        "candidate:1 1 tcp 1 192.0.2.1 9 typ host tcptype active",
        "candidate:1 1 udp 1 192.0.2.1 4000 typ host " + "x" * 2000,
    ],
)
def test_what_is_of_no_use_is_left_out(text: str) -> None:
    assert parse_candidate(text) is None


def test_a_candidate_belongs_to_the_section_of_its_mid_before_its_index() -> None:
    assert mline_of(Candidate("", sdpMid="b", sdpMLineIndex=0), ["a", "b"]) == 1
    assert mline_of(Candidate("", sdpMid="?", sdpMLineIndex=1), ["a", "b"]) == 1
    assert mline_of(Candidate(""), ["a"]) is None


def test_addresses_are_the_chosen_ones_only_inside() -> None:
    from aioice import ice  # what aiortc itself calls

    outside = ice.get_host_addresses(True, True)
    with gathering_on(["127.0.0.1", "::1"]):
        assert ice.get_host_addresses(True, True) == ["127.0.0.1", "::1"]
        assert ice.get_host_addresses(True, False) == ["127.0.0.1"]
    assert ice.get_host_addresses(True, True) == outside
    assert "127.0.0.1" not in outside
