"""What a hostile review found, each as the sentence that it broke."""

from __future__ import annotations

from typing import Any

import pytest

from harness.plane import SDP, Client, Refusal, Stage
from harness.settings import node_settings


@pytest.fixture
def stage() -> Stage:
    return Stage()


def microphone(client: Client, id: str = "mic", source: str = "microphone", **more: Any) -> Any:
    return client.call("createProducer", id=id, transport="t", kind="audio", source=source, **more)


def test_a_muted_microphone_does_not_come_back_by_closing_rejoining_or_another_source(stage: Stage) -> None:
    moderator, bob = stage.enter("mo", role="moderator"), stage.enter("bob")
    microphone(bob)
    moderator.call("mute", target={"peer": bob.peer, "source": "microphone"})
    bob.call("closeProducer", id="mic")
    assert microphone(bob)["paused"] is True
    again = stage.enter("bob")
    assert microphone(again)["paused"] is True
    assert microphone(again, "tab", "screenAudio")["paused"] is False
    again.call("replaceTrack", id="tab", source="microphone", generation=0)
    assert again.call("resumeProducer", id="tab")["paused"]["moderator"] is True
    moderator.call("unmute", target={"peer": again.peer})
    assert microphone(again, "third")["paused"] is False


def test_a_moderator_frees_itself_from_its_own_mute_of_all(stage: Stage) -> None:
    stage.enter("owner", role="owner").call("mute", target={"allExcept": [], "source": "microphone"})
    owner = stage.enter("owner", role="owner")
    assert microphone(owner)["paused"] is False
    other = stage.enter("other", role="owner")
    assert microphone(other, "o")["paused"] is True
    assert other.call("unmute", target="self")["affected"] == 1


def test_an_unmute_of_one_source_lifts_that_of_all_sources_for_it(stage: Stage) -> None:
    moderator = stage.enter("mo", role="moderator")
    moderator.call("mute", target={"allExcept": []})
    moderator.call("unmute", target={"allExcept": [], "source": "microphone"})
    bob = stage.enter("bob")
    assert microphone(bob)["paused"] is False
    assert microphone(bob, "tab", "screenAudio")["paused"] is True


def test_mutes_tell_only_those_who_may_know_of_the_producer(stage: Stage) -> None:
    moderator, bob, eve = stage.enter("mo", role="moderator"), stage.enter("bob"), stage.enter("eve")
    microphone(bob, allow=["mo"])
    eve.take()
    moderator.call("mute", target={"peer": bob.peer})
    assert eve.take() == []
    assert eve.call("roomInfo")["counts"]["producers"] == 0


def test_an_owner_with_subscribe_none_hears_what_is_done_to_its_own(stage: Stage) -> None:
    moderator = stage.enter("mo", role="moderator")
    sender = stage.enter("sender", subscribe="none")
    microphone(sender)
    moderator.call("pauseProducer", id="mic")
    moderator.call("closeProducer", id="mic")
    assert [each["event"] for each in sender.take()] == ["producerPaused", "producerClosed"]


def test_a_consumer_with_subscribe_none_hears_of_what_it_consumes_to_the_end(stage: Stage) -> None:
    sender, guest = stage.enter("sender"), stage.enter("guest", subscribe="none")
    microphone(sender)
    guest.call("createConsumer", id="c", producer="mic", transport="r")
    sender.call("pauseProducer", id="mic")
    sender.call("closeProducer", id="mic")
    microphone(sender)
    assert [each["event"] for each in guest.take()] == ["producerPaused", "producerClosed", "consumerClosed"]


def test_a_hidden_moderator_stays_hidden(stage: Stage) -> None:
    bob = stage.enter("bob")
    ghost = stage.connect()
    ghost.join(token=stage.token("ghost", role="owner", hidden=True))
    with pytest.raises(Refusal, match="hidden"):
        microphone(ghost)
    ghost.call("lockRoom")
    assert bob.take() == [{"event": "roomLocked", "by": "hidden", "mode": "closed"}]
    with pytest.raises(Refusal, match="not_found"):
        bob.call("networkQuality", peer=ghost.peer)


def test_a_moderator_rules_neither_upwards_nor_beyond_its_room(stage: Stage) -> None:
    moderator = stage.connect()
    moderator.join(token=stage.token("mo", role="moderator", room="room"))
    with pytest.raises(Refusal, match="forbidden"):
        moderator.call("kickUser", identity="absent", ban={"scope": "room"})
    bob = stage.enter("bob")
    with pytest.raises(Refusal) as refused:
        moderator.call("kickUser", peer=bob.peer, ban={"scope": "all"})
    assert refused.value.data["need"] == "room"
    old = stage.token("bob")
    stage.advance(2)
    moderator.call("kickUser", peer=bob.peer, revokeBefore=stage.now + 1_700_000_000)
    elsewhere = stage.connect()
    elsewhere.join("elsewhere", token=old)
    with pytest.raises(Refusal, match="token_revoked"):
        stage.connect().call("join", room="room", token=old)


def test_a_ban_from_everywhere_ends_every_stay(stage: Stage) -> None:
    owner = stage.enter("olivia", role="owner")
    here, there = stage.enter("bob"), stage.enter("bob", room="there")
    owner.call("kickUser", peer=here.peer, ban={"scope": "all"})
    for client in (here, there):
        assert client.closed is not None
        assert client.closed[0] == 4503


def test_shed_events_leave_no_gap(stage: Stage) -> None:
    alice, bob = stage.enter("alice"), stage.enter("bob")
    bob.sheds = True
    alice.call("networkQuality", rttMs=20, lossUp=0.0)
    bob.sheds = False
    microphone(alice)
    assert [each["event"] for each in bob.take()] == ["producerAdded"]  # prev was checked


def test_generations_of_a_link_rise_whoever_offers(stage: Stage) -> None:
    one, two = stage.enter("alice"), stage.enter("bob")
    link = {"transport": "p", "sdp": SDP}
    one.call("sdpOffer", direction="p2p", to=two.peer, generation=5, **link)
    two.call("sdpAnswer", to=one.peer, generation=5, **link)
    with pytest.raises(Refusal, match="stale_generation") as refused:
        two.call("sdpOffer", direction="p2p", to=one.peer, generation=1, **link)
    assert refused.value.data["generation"] == 5
    assert one.call("iceRestart", transport="p", to=two.peer)["generation"] == 6
    one.call("sdpOffer", direction="p2p", to=two.peer, generation=6, **link)


def test_a_refused_answer_or_offer_leaves_nothing_behind(stage: Stage) -> None:
    one, two = stage.enter("alice"), stage.enter("bob")
    with pytest.raises(Refusal, match="wrong_state"):
        one.call("sdpAnswer", transport="p", to=two.peer, sdp=SDP, generation=1)
    assert stage.plane.sessions.rooms["room"].links == {}


def test_nobody_uses_up_the_links_of_another() -> None:
    stage = Stage(node_settings(limits={"transports_per_peer": 2}))
    victim, attacker, friend = stage.enter("victim"), stage.enter("attacker"), stage.enter("friend")
    for transport in ("a", "b"):
        attacker.call("iceCandidate", transport=transport, to=victim.peer, generation=1, candidates=["c"])
    victim.call("sdpOffer", transport="p", direction="p2p", to=friend.peer, sdp=SDP, generation=1)


def test_rate_limits_close_with_4013_and_only_when_nothing_helps() -> None:
    stage = Stage(node_settings(limits={"request_burst": 3, "requests_per_second": 1}))
    client = stage.enter("alice")
    for _ in range(50):
        client.request("heartbeat", t=1)
    assert client.closed is None
    for _ in range(60):
        client.request("heartbeat", t=1)
    assert client.closed is not None
    assert client.closed[0] == 4013


def test_statistics_of_a_producer_and_a_consumer_of_one_name_are_apart(stage: Stage) -> None:
    alice, bob = stage.enter("alice"), stage.enter("bob")
    microphone(alice, "x")
    microphone(bob, "v")
    bob.call("createConsumer", id="v", producer="x", transport="r")
    bob.call("audioStats", consumer="v", samples=[{"jitter": 0.1}])
    assert bob.call("audioStats", producer="v")["stats"] == []


def test_the_layers_of_a_new_consumer_count(stage: Stage) -> None:
    alice, bob = stage.enter("alice"), stage.enter("bob")
    encodings = [{"rid": rid} for rid in "lmh"]
    alice.call("createProducer", id="cam", transport="t", kind="video", source="camera", encodings=encodings)
    bob.call("createConsumer", producer="cam", transport="r", layers={"spatial": 0}, paused=False)
    assert alice.take("producerWanted")[0]["layers"] == [0]
