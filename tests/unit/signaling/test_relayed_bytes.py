"""What one sender has relayed or told to others is bounded in bytes, so that it cannot fill the queue of a slow reader."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.plane import SDP, Client, Refusal, Stage
from harness.settings import node_settings
from palaver.settings import GatewaySettings, LimitSettings

QUEUE = GatewaySettings().outbox_close_bytes
LIMITS = LimitSettings()


def large_sdp(size: int) -> str:
    line = "a=" + "x" * 46 + "\r\n"
    return SDP + line * ((size - len(SDP)) // len(line))


def told(client: Client) -> int:
    """Bytes that a client was sent; one that reads nothing has them all in its queue."""
    return sum(map(len, client.raw))


def until_refused(call: Callable[[int], object]) -> Refusal:
    for turn in range(5000):
        try:
            call(turn)
        except Refusal as refusal:
            assert refusal.reason == "rate_limited"
            return refusal
    raise AssertionError("nothing is refused")


@pytest.mark.parametrize("binary", [False, True])
def test_offers_of_one_sender_do_not_fill_the_queue_of_one_who_does_not_read(binary: bool) -> None:
    stage = Stage()
    attacker, victim = stage.enter("mallory", binary=binary), stage.enter("victim")
    sdp = large_sdp(190 * 1024)

    def offer(turn: int) -> None:
        attacker.call(
            "sdpOffer", transport="p", direction="p2p", to=victim.peer, sdp=sdp, generation=60 + turn
        )

    refusal = until_refused(offer)
    assert told(victim) < QUEUE
    stage.advance(refusal.data["afterMs"] / 1000 - 0.002)
    with pytest.raises(Refusal, match="rate_limited"):
        offer(100)
    stage.advance(0.003)
    offer(100)


def test_candidates_count_with_the_offers() -> None:
    stage = Stage()
    attacker, victim = stage.enter("mallory"), stage.enter("victim")
    lines = ["candidate:" + "x" * 1000] * 32
    attacker.call("sdpOffer", transport="p", direction="p2p", to=victim.peer, sdp=SDP, generation=1)
    until_refused(
        lambda _: attacker.call("iceCandidate", transport="p", to=victim.peer, generation=1, candidates=lines)
    )
    assert told(victim) < QUEUE


def test_labels_of_producers_count_too() -> None:
    stage = Stage()
    attacker, victim = stage.enter("mallory"), stage.enter("victim")

    def come_and_go(turn: int) -> None:
        attacker.call(
            "createProducer", id=f"{turn}", transport="t", kind="video", source="camera", label="ü" * 1024
        )
        attacker.call("closeProducer", id=f"{turn}", reason="ü" * 1024)

    until_refused(come_and_go)
    assert told(victim) < QUEUE


def test_joining_again_and_again_with_large_attributes_is_told_within_the_same_bound() -> None:
    stage = Stage()
    victim = stage.enter("victim")
    attributes = {f"key{n}": "x" * 4000 for n in range(4)}
    until_refused(lambda _: stage.enter("mallory", attributes=attributes))
    assert told(victim) < QUEUE


def test_attributes_of_a_token_count_as_those_of_the_join() -> None:
    stage = Stage()
    victim = stage.enter("victim")
    until_refused(
        lambda _: stage.connect().call(
            "join", room="room", token=stage.token("mallory"), attributes={"a": "\x01" * 2000}
        )
    )
    assert told(victim) < QUEUE


def test_attributes_that_swell_in_json_are_measured_as_they_are_told() -> None:
    with pytest.raises(Refusal, match="too_large"):
        Stage().enter("mallory", binary=True, attributes={"a": "\x01" * 4000})


def test_a_new_connection_is_no_way_to_a_fresh_allowance() -> None:
    stage = Stage()
    victim = stage.enter("victim")
    sdp = large_sdp(190 * 1024)

    def come_again(turn: int) -> None:
        attacker = stage.enter("mallory")
        attacker.call("sdpOffer", transport="p", direction="p2p", to=victim.peer, sdp=sdp, generation=turn)

    until_refused(come_again)
    assert told(victim) < QUEUE


def test_honest_calls_pass() -> None:
    stage = Stage()
    one, two = stage.enter("alice"), stage.enter("bob")
    large = large_sdp(LIMITS.sdp_bytes)
    for generation in range(3):  # renegotiations of the largest size, some seconds apart
        one.call("sdpOffer", transport="p", direction="p2p", to=two.peer, sdp=large, generation=generation)
        two.call("sdpAnswer", transport="p", to=one.peer, sdp=large, generation=generation)
        for _ in range(50):
            one.call("iceCandidate", transport="p", to=two.peer, generation=generation, candidates=[SDP[:0]])
        stage.advance(4)
    stage.advance(10)
    others = [stage.enter(f"guest{n}") for n in range(40)]
    usual = large_sdp(8 * 1024)
    for other in others:  # a newcomer to a mesh of forty offers to all at once
        two.call("sdpOffer", transport="p", direction="p2p", to=other.peer, sdp=usual, generation=1)


def test_an_operator_chooses_the_bound() -> None:
    stage = Stage(node_settings(limits={"relayed_burst_bytes": 1 << 30, "received_burst_bytes": 1 << 30}))
    one, two = stage.enter("alice"), stage.enter("bob")
    for generation in range(60):
        sdp = large_sdp(190 * 1024)
        one.call("sdpOffer", transport="p", direction="p2p", to=two.peer, sdp=sdp, generation=generation)
