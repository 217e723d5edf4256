"""Offers, answers and candidates between two participants (protocol § 5, TransportHandler)."""

from __future__ import annotations

from typing import Any

import pytest

from harness.plane import SDP, Client, Refusal, Stage
from harness.settings import node_settings


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def pair(stage: Stage) -> tuple[Client, Client]:
    """Two participants; the first has the smaller peer id."""
    clients = sorted((stage.enter("alice"), stage.enter("bob")), key=lambda client: client.peer)
    for client in clients:
        client.take()
    return clients[0], clients[1]


def offer(sender: Client, receiver: Client, generation: int = 1, sdp: str = SDP) -> Any:
    return sender.call(
        "sdpOffer", transport="p2p", direction="p2p", to=receiver.peer, sdp=sdp, generation=generation
    )


def answer(sender: Client, receiver: Client, generation: int = 1) -> Any:
    return sender.call("sdpAnswer", transport="p2p", to=receiver.peer, sdp=SDP, generation=generation)


def trickle(sender: Client, receiver: Client, generation: int = 1, count: int = 1, **more: Any) -> Any:
    candidates = [
        {"candidate": f"candidate:{n} 1 udp 1 127.0.0.1 {n} typ host", "sdpMid": "0"} for n in range(count)
    ]
    return sender.call(
        "iceCandidate",
        transport="p2p",
        to=receiver.peer,
        generation=generation,
        candidates=candidates,
        **more,
    )


def test_offer_answer_and_candidates_reach_the_other(pair: tuple[Client, Client]) -> None:
    one, two = pair
    assert offer(one, two) == {"delivered": True}
    assert two.take() == [
        {"event": "transportOffer", "from": one.peer, "transport": "p2p", "sdp": SDP, "generation": 1}
    ]
    assert answer(two, one) == {}
    assert one.take() == [
        {"event": "transportAnswer", "from": two.peer, "transport": "p2p", "sdp": SDP, "generation": 1}
    ]
    assert trickle(one, two, end=True) == {}
    assert two.take() == [
        {
            "event": "transportIce",
            "from": one.peer,
            "transport": "p2p",
            "generation": 1,
            "candidates": [{"candidate": "candidate:0 1 udp 1 127.0.0.1 0 typ host", "sdpMid": "0"}],
            "end": True,
        }
    ]


def test_only_the_named_peer_is_told(stage: Stage, pair: tuple[Client, Client]) -> None:
    one, two = pair
    carol = stage.enter("carol")
    offer(one, two)
    assert carol.take() == []


def test_a_repeated_offer_or_answer_is_delivered_once(pair: tuple[Client, Client]) -> None:
    one, two = pair
    offer(one, two)
    assert offer(one, two) == {"delivered": True}
    assert len(two.take()) == 1
    answer(two, one)
    assert answer(two, one) == {}
    assert len(one.take()) == 1


def test_in_glare_the_smaller_id_yields_and_hears_who_won(pair: tuple[Client, Client]) -> None:
    smaller, larger = pair
    offer(larger, smaller)
    with pytest.raises(Refusal, match="conflict") as refused:
        offer(smaller, larger)
    assert refused.value.data["winner"] == larger.peer
    assert larger.take() == []
    answer(smaller, larger)
    assert [each["event"] for each in larger.take()] == ["transportAnswer"]


def test_in_glare_the_larger_ids_late_offer_voids_the_smaller_ones(pair: tuple[Client, Client]) -> None:
    smaller, larger = pair
    offer(smaller, larger)
    assert offer(larger, smaller) == {"delivered": True}
    assert smaller.take()[0]["glare"] is True
    with pytest.raises(Refusal, match="wrong_state"):
        answer(larger, smaller)
    assert answer(smaller, larger) == {}


def test_in_glare_the_generation_does_not_fall(pair: tuple[Client, Client]) -> None:
    smaller, larger = pair
    offer(smaller, larger, generation=9)
    with pytest.raises(Refusal, match="stale_generation") as refused:
        offer(larger, smaller, generation=2)
    assert refused.value.data["generation"] == 9
    assert smaller.take() == []
    assert larger.call("iceRestart", transport="p2p", to=smaller.peer)["generation"] == 10
    offer(larger, smaller, generation=10)
    assert smaller.take("transportOffer")[0]["glare"] is True
    answer(smaller, larger, generation=10)
    offer(smaller, larger, generation=11)


def test_an_answer_needs_an_open_offer_of_its_generation(pair: tuple[Client, Client]) -> None:
    one, two = pair
    with pytest.raises(Refusal, match="wrong_state"):
        answer(two, one)
    offer(one, two, generation=3)
    with pytest.raises(Refusal, match="stale_generation"):
        answer(two, one, generation=2)
    with pytest.raises(Refusal, match="wrong_state"):
        answer(two, one, generation=4)
    with pytest.raises(Refusal, match="stale_generation"):
        offer(one, two, generation=2)
    answer(two, one, generation=3)
    with pytest.raises(Refusal, match="stale_generation"):
        trickle(one, two, generation=2)


def test_renegotiation_by_either_side(pair: tuple[Client, Client]) -> None:
    one, two = pair
    offer(one, two)
    answer(two, one)
    offer(two, one, generation=2)
    answer(one, two, generation=2)
    offer(one, two, generation=3)
    assert [each["generation"] for each in two.take("transportOffer")] == [1, 3]


def test_candidates_before_their_offer_follow_it(pair: tuple[Client, Client]) -> None:
    one, two = pair
    trickle(one, two, generation=1, count=2)
    assert two.take() == []
    offer(one, two)
    assert [each["event"] for each in two.take()] == ["transportOffer", "transportIce"]


def test_early_candidates_are_freed_when_their_time_is_over_or_a_peer_leaves(
    stage: Stage, pair: tuple[Client, Client]
) -> None:
    one, two = pair
    trickle(one, two, count=5)
    one.call("iceCandidate", transport="send", generation=3, candidates=["c"])
    stage.advance(30)
    trickle(one, two, count=7)
    room = stage.plane.sessions.rooms["room"]
    (link,) = room.links.values()
    transport = room.participants[one.peer].transports["send"]

    def kept() -> int:
        return sum(len(each[2]) for each in link._early[one.peer]._kept)

    assert (kept(), bool(transport.early)) == (12, True)
    stage.advance(15.1)
    assert (kept(), bool(transport.early)) == (7, False)
    stage.advance(30)
    assert kept() == 0
    trickle(one, two, count=9)
    one.call("iceCandidate", transport="send", generation=4, candidates=["c"])
    one.call("leave")
    assert (kept(), bool(transport.early)) == (0, False)


def test_early_candidates_are_bounded_in_number_and_time(stage: Stage, pair: tuple[Client, Client]) -> None:
    one, two = pair
    trickle(one, two, count=32)
    trickle(one, two, count=32)
    with pytest.raises(Refusal, match="limit"):
        trickle(one, two, count=1)
    stage.advance(46)
    trickle(one, two, count=3)
    offer(one, two)
    assert [len(each["candidates"]) for each in two.take("transportIce")] == [3]


@pytest.mark.parametrize(
    ("sdp", "line"),
    [
        ("", None),
        ("hello", 1),
        ("v=0\r\nfoo\r\n", 2),
        ("v=0\r\na=x\0y\r\n", 2),
        ("v=0\r\na=ok\r\n\r\n", 3),
    ],
)
def test_bad_sdp_is_named_by_line(pair: tuple[Client, Client], sdp: str, line: int | None) -> None:
    one, two = pair
    with pytest.raises(Refusal) as refused:
        offer(one, two, sdp=sdp)
    assert refused.value.reason == ("bad_sdp" if line else "invalid_params")
    assert refused.value.data.get("line") == line
    assert two.take() == []


def test_a_candidate_with_a_line_break_is_refused(pair: tuple[Client, Client]) -> None:
    one, two = pair
    offer(one, two)
    two.take()
    for candidate in ("candidate:1\r\na=evil", {"candidate": "candidate:1\na=evil"}):
        with pytest.raises(Refusal) as refused:
            one.call("iceCandidate", transport="p2p", to=two.peer, generation=1, candidates=[candidate])
        assert refused.value.reason == "invalid_params"
        assert "candidates" in refused.value.data["path"]
    assert two.take() == []


def test_peers_of_other_rooms_are_as_good_as_absent(stage: Stage, pair: tuple[Client, Client]) -> None:
    one, _ = pair
    elsewhere = stage.enter("eve", room="elsewhere")
    for to in (elsewhere.peer, "nobody", one.peer):
        with pytest.raises(Refusal, match="not_found"):
            one.call("sdpOffer", transport="p2p", direction="p2p", to=to, sdp=SDP, generation=1)
    with pytest.raises(Refusal, match="invalid_params"):
        one.call("sdpOffer", transport="p2p", direction="p2p", sdp=SDP, generation=1)


def test_the_links_of_a_participant_are_capped_and_end_with_it() -> None:
    stage = Stage(node_settings(limits={"transports_per_peer": 2}))
    one, two = stage.enter("alice"), stage.enter("bob")
    for transport in ("a", "b"):
        one.call("sdpOffer", transport=transport, direction="p2p", to=two.peer, sdp=SDP, generation=1)
    with pytest.raises(Refusal, match="limit"):
        one.call("sdpOffer", transport="c", direction="p2p", to=two.peer, sdp=SDP, generation=1)
    two.call("leave")
    assert stage.plane.sessions.rooms["room"].links == {}
    three = stage.enter("carol")
    one.call("sdpOffer", transport="c", direction="p2p", to=three.peer, sdp=SDP, generation=1)


def test_a_relayed_offer_survives_a_loss(stage: Stage, pair: tuple[Client, Client]) -> None:
    one, two = pair
    two.lose()
    offer(one, two)
    trickle(one, two)
    identity = stage.plane.sessions.rooms["room"].participants[two.peer].identity
    again = stage.connect(bearer=stage.token(identity))
    again.resume(two)
    assert [each["event"] for each in again.take()] == ["transportOffer", "transportIce"]


@pytest.mark.parametrize(("before", "after"), [(False, True), (True, False)], ids=["to msgpack", "to json"])
def test_what_was_relayed_can_be_missed_in_one_encoding_and_resumed_in_the_other(
    stage: Stage, before: bool, after: bool
) -> None:
    one, two = stage.enter("alice"), stage.enter("bob", binary=before)
    offer(one, two)
    trickle(one, two)
    told = two.take("transportOffer", "transportIce")
    again = stage.connect(bearer=stage.token("bob"), binary=after)
    reply = again.call("join", room="room", resume={"ticket": two.ticket, "lastSeq": two.seq - 2})
    missed = [
        {
            "event": each["method"],
            **{k: v for k, v in each["params"].items() if k not in ("epoch", "seq", "prev")},
        }
        for each in reply["missed"]
    ]
    assert missed == told and len(told) == 2


def test_another_fingerprint_needs_a_new_generation(stage: Stage) -> None:
    alice = stage.enter("alice")
    dtls = {"role": "auto", "fingerprints": [{"algorithm": "sha-256", "value": "AA:BB"}]}
    assert alice.call("connectTransport", transport="t", dtls=dtls) == {"state": "new"}
    assert alice.call("connectTransport", transport="t", dtls=dtls) == {"state": "new"}
    dtls["fingerprints"] = [{"algorithm": "sha-256", "value": "AA:CC"}]
    with pytest.raises(Refusal, match="conflict"):
        alice.call("connectTransport", transport="t", dtls=dtls)
