"""What one sender tells others is bounded, so that it cannot fill the queue of a slow reader."""

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


@pytest.mark.parametrize("method", ["sdpOffer", "sdpAnswer", "iceCandidate", "iceRestart"])
def test_nothing_more_is_relayed_to_a_peer_that_does_not_read_until_it_does(method: str) -> None:
    stage = Stage()
    sender, victim = stage.enter("mallory"), stage.enter("victim")
    victim.call("sdpOffer", transport="p", direction="p2p", to=sender.peer, sdp=SDP, generation=1)
    params = {
        "sdpOffer": {"direction": "p2p", "sdp": SDP, "generation": 2},
        "sdpAnswer": {"sdp": SDP, "generation": 1},
        "iceCandidate": {"generation": 1, "candidates": ["candidate:1"]},
        "iceRestart": {},
    }[method]
    victim.is_slow, before = True, told(victim)
    with pytest.raises(Refusal, match="rate_limited") as refused:
        sender.call(method, transport="p", to=victim.peer, **params)
    assert refused.value.data["afterMs"] > 0
    assert told(victim) == before
    victim.is_slow = False
    sender.call(method, transport="p", to=victim.peer, **params)
    assert told(victim) > before


def test_a_slow_reader_is_no_obstacle_between_others() -> None:
    stage = Stage()
    one, two, slow = stage.enter("alice"), stage.enter("bob"), stage.enter("carol")
    slow.is_slow = True
    one.call("sdpOffer", transport="p", direction="p2p", to=two.peer, sdp=SDP, generation=1)


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

    def come_again(turn: int) -> None:
        attacker = stage.enter("mallory")
        attacker.call(
            "createProducer", id=f"{turn}", transport="t", kind="video", source="camera", label="ü" * 1024
        )

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
    stage = Stage(node_settings(limits={"told_burst_bytes": 1 << 30}))
    stage.enter("victim")
    attributes = {f"key{n}": "x" * 4000 for n in range(4)}
    for _ in range(60):
        stage.enter("mallory", attributes=attributes)
