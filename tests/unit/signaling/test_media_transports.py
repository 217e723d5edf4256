"""How many transports to the media node one session can hold, and have made at once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.plane import SDP, Client, Refusal, Stage
from harness.settings import node_settings
from palaver.rooms.media import TransportHandle
from palaver.settings import LimitSettings
from palaver.signaling.ports import Answer, BadSdp

CAP = LimitSettings().media_transports_per_peer


class Turn:
    def __await__(self) -> Any:
        yield


class CountingMedia:
    """A media node that answers in the next turn, and knows which transports it has."""

    node = "media"

    def __init__(self) -> None:
        self.open: set[TransportHandle] = set()
        self.most = 0

    async def accept_offer(self, handle: TransportHandle, direction: str, sdp: str) -> Answer:
        self.open.add(handle)
        self.most = max(self.most, len(self.open))
        await Turn()
        if "bad" in sdp:
            self.open.discard(handle)
            raise BadSdp("bad")
        return Answer(SDP, {})

    def close_transport(self, handle: TransportHandle) -> None:
        self.open.discard(handle)

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


@pytest.fixture
def media() -> CountingMedia:
    return CountingMedia()


@pytest.fixture
def stage(media: CountingMedia) -> Stage:
    return Stage(node_settings(), media={"media": media})


def run(stage: Stage) -> None:
    """Lets all that was spawned take turns until it is done."""
    while stage.spawned:
        for work in list(stage.spawned):
            try:
                work.send(None)
            except StopIteration:
                stage.spawned.remove(work)


def offer(client: Client, transport: str, generation: int = 1, sdp: str = SDP) -> int:
    return client.request("sdpOffer", transport=transport, direction="send", sdp=sdp, generation=generation)


def test_a_session_opens_so_many_transports_and_no_more(stage: Stage, media: CountingMedia) -> None:
    client = stage.enter("mallory")
    requests = [offer(client, f"t{n}") for n in range(CAP + 5)]
    run(stage)
    assert media.most == CAP
    for request in requests[:CAP]:
        assert client.result(request)["generation"] == 1
    for request in requests[CAP:]:
        with pytest.raises(Refusal, match="limit"):
            client.result(request)


@pytest.mark.parametrize("method", ["createProducer", "iceCandidate", "connectTransport"])
def test_what_only_names_a_transport_counts_too(stage: Stage, method: str) -> None:
    client = stage.enter("mallory")
    for n in range(CAP):
        offer(client, f"t{n}")
    run(stage)
    params: dict[str, Any] = {
        "createProducer": {"kind": "audio", "source": "microphone"},
        "iceCandidate": {"generation": 1, "candidates": ["c"]},
        "connectTransport": {"dtls": {"role": "auto", "fingerprints": ["AA:BB"]}},
    }[method]
    with pytest.raises(Refusal, match="limit"):
        client.call(method, transport="more", **params)


def test_a_failed_transport_that_carries_nothing_gives_way(stage: Stage, media: CountingMedia) -> None:
    client = stage.enter("alice")
    for n in range(CAP):
        offer(client, f"t{n}")
    run(stage)
    client.call("createProducer", transport="t0", id="mic", kind="audio", source="microphone")
    for n in (0, 1):
        handle = TransportHandle("media", "room", client.peer, f"t{n}")
        stage.plane.transport_state(handle, "failed")
    request = offer(client, "anew")
    run(stage)
    assert client.result(request)["generation"] == 1
    assert {each.transport for each in media.open} == {f"t{n}" for n in range(CAP) if n != 1} | {"anew"}
    with pytest.raises(Refusal, match="limit"):
        client.result(offer(client, "another"))


def test_a_refused_offer_gives_its_place_back(stage: Stage, media: CountingMedia) -> None:
    client = stage.enter("alice")
    for n in range(2 * CAP):
        stage.advance(2)
        request = offer(client, f"t{n}", sdp=SDP + "a=bad\r\n")
        run(stage)
        with pytest.raises(Refusal, match="bad_sdp"):
            client.result(request)
    assert media.open == set()


def test_one_transport_has_few_offers_under_way(stage: Stage) -> None:
    client = stage.enter("mallory")
    requests = [offer(client, "t", generation) for generation in range(1, 10)]
    assert len(stage.spawned) == 4
    run(stage)
    with pytest.raises(Refusal, match="unavailable") as refused:
        client.result(requests[-1])
    assert refused.value.data["afterMs"] == 100
    request = offer(client, "t", 20)
    run(stage)
    assert client.result(request)["generation"] == 20


def test_the_same_offer_twice_in_a_batch_is_worked_on_once(stage: Stage) -> None:
    client = stage.enter("alice")
    params = {"transport": "t", "direction": "send", "sdp": SDP, "generation": 1}
    batch = [{"jsonrpc": "2.0", "id": id, "method": "sdpOffer", "params": params} for id in (71, 72)]
    client.receive(json.dumps(batch).encode())
    assert len(stage.spawned) == 1
    run(stage)
    assert client.result(71)["generation"] == 1
    with pytest.raises(Refusal, match="unavailable"):
        client.result(72)


def test_joins_with_offers_come_one_after_the_other(stage: Stage, media: CountingMedia) -> None:
    client = stage.connect(bearer=stage.token("mallory"))
    join = {"room": "room", "offer": {"transport": "t", "sdp": SDP}}
    requests = [client.request("join", **join) for _ in range(9)]
    run(stage)
    assert media.most == 1
    assert client.result(requests[0])["answer"]["transport"] == "t"
    with pytest.raises(Refusal, match="unavailable"):
        client.result(requests[1])


def test_more_sockets_are_no_way_to_more_transports(stage: Stage, media: CountingMedia) -> None:
    for _ in range(2):
        sockets = [stage.connect(bearer=stage.token("mallory")) for _ in range(9)]
        join = {"room": "room", "offer": {"transport": "t", "sdp": SDP}}
        requests = [client.request("join", **join) for client in sockets]
        run(stage)
        assert media.most <= 5, "four under way, and the seat of before"
        with pytest.raises(Refusal, match="unavailable"):
            sockets[-1].result(requests[-1])
    assert len(media.open) == 1


def test_after_a_join_whose_offer_was_bad_one_may_join_again(stage: Stage, media: CountingMedia) -> None:
    client = stage.connect(bearer=stage.token("alice"))
    request = client.request("join", room="room", offer={"transport": "t", "sdp": SDP + "a=bad\r\n"})
    run(stage)
    with pytest.raises(Refusal, match="bad_sdp"):
        client.result(request)
    client.join("room")
    assert media.open == set()
