"""Real peer connections on loopback, driven through the MediaNode port."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from harness.media import LOOPBACK, Peer, Sink, States, connected, eventually, media_node
from palaver.media import AiortcMediaNode
from palaver.rtc import peer_connection
from palaver.rtc.patterns import TestPicture, TestTone, read_number
from palaver.signaling.ports import BadSdp, Candidate, MediaUnavailable, TransportHandle


@contextlib.asynccontextmanager
async def call(
    *names: str, states: States | None = None
) -> AsyncIterator[tuple[AiortcMediaNode, list[Peer]]]:
    """A media node and so many clients; what they start is gone afterwards."""
    async with media_node(states) as node:
        peers = [Peer(node, name) for name in names]
        try:
            yield node, peers
        finally:
            await asyncio.gather(*(peer.close() for peer in peers))


async def test_a_picture_and_a_tone_reach_two_subscribers() -> None:
    async with call("alice", "bob", "carol") as (node, (alice, bob, carol)):
        await alice.publish(camera=TestPicture(), microphone=TestTone())
        sinks = [
            await bob.subscribe("video", "camera", "c1"),
            await bob.subscribe("audio", "microphone", "c2"),
            await carol.subscribe("video", "camera", "c3"),
        ]
        for sink in sinks:
            await sink.more(10)
        assert node.stats() | {"framesForwarded": 0} == {
            "transports": 3,
            "producers": 2,
            "consumers": 3,
            "framesForwarded": 0,
        }
        assert node.stats()["framesForwarded"] >= 30


async def test_the_picture_that_arrives_is_the_picture_that_was_sent() -> None:
    async with call("alice", "bob") as (_, (alice, bob)):
        picture = TestPicture()
        await alice.publish(camera=picture)
        sink = await bob.subscribe("video", "camera", "c1")
        await sink.more(10)
        assert 0 < read_number(sink.last) <= picture.frames


async def test_pausing_a_producer_stops_its_frames_and_resuming_brings_them_back_in_time() -> None:
    async with call("alice", "bob", "carol") as (node, (alice, bob, carol)):
        picture = TestPicture()
        await alice.publish(camera=picture)
        seen = await bob.subscribe("video", "camera", "c1"), await carol.subscribe("video", "camera", "c2")
        for sink in seen:
            await sink.more()
        node.pause_producer("r", "camera", True)
        for sink in seen:
            await sink.silence(lambda: picture.frames)
        paused_at = picture.frames
        node.pause_producer("r", "camera", False)
        for sink in seen:
            await sink.more()
            assert read_number(sink.last) > paused_at
            assert sink.times == sorted(set(sink.times)), "timestamps must rise"


async def test_pausing_a_consumer_stops_only_its_own_frames() -> None:
    async with call("alice", "bob", "carol") as (node, (alice, bob, carol)):
        await alice.publish(microphone=TestTone())
        at_bob = await bob.subscribe("audio", "microphone", "c1")
        at_carol = await carol.subscribe("audio", "microphone", "c2")
        await at_bob.more()
        node.pause_consumer("r", "c1", True)
        await at_bob.silence(at_carol)
        node.pause_consumer("r", "c1", False)
        await at_bob.more()
        assert at_bob.times == sorted(set(at_bob.times))


async def test_no_old_frame_is_sent_after_a_pause() -> None:
    async with call("alice", "bob") as (node, (alice, bob)):
        picture = TestPicture()
        await alice.publish(camera=picture)
        sink = await bob.subscribe("video", "camera", "c1", paused=True)
        await connected(bob.receiving)
        await eventually(lambda: picture.frames > 20, "frames are produced")
        assert sink.frames == 0
        resumed_at = picture.frames
        node.pause_consumer("r", "c1", False)
        await sink.more(1)
        assert read_number(sink.last) >= resumed_at - 3, "a frame or two may be under way"


async def test_a_late_consumer_gets_a_new_section_by_a_second_offer() -> None:
    async with call("alice", "bob") as (_, (alice, bob)):
        await alice.publish(camera=TestPicture())
        first = await bob.subscribe("video", "camera", "c1")
        await first.more()
        await alice.publish(microphone=TestTone(), screen=TestPicture(width=160, height=120))
        sound = await bob.subscribe("audio", "microphone", "c2")
        screen = await bob.subscribe("video", "screen", "c3")
        for sink in (first, sound, screen):
            await sink.more()
        assert screen.last.width == 160
        assert first.last.width == 320


async def test_a_closed_consumer_leaves_its_section_to_the_next_of_its_kind() -> None:
    async with call("alice", "bob") as (node, (alice, bob)):
        await alice.publish(camera=TestPicture(), screen=TestPicture(width=160, height=120))
        await bob.subscribe("video", "camera", "c1")
        mid = next(iter(bob.sinks))
        await bob.sinks[mid].more()
        node.close_consumer("r", "c1")
        assert node.consume(bob.recv, "c2", "unknown-sound", "audio", False) is None
        assert node.consume(bob.recv, "c3", "screen", "video", False) == mid
        await eventually(lambda: bob.sinks[mid].last.width == 160, "the section shows the other picture")
        await bob.sinks[mid].more()
        assert bob.sinks[mid].times == sorted(set(bob.sinks[mid].times))


async def test_closing_a_producer_ends_its_consumers_and_frees_its_section() -> None:
    async with call("alice", "bob") as (node, (alice, bob)):
        await alice.publish(camera=TestPicture())
        sink = await bob.subscribe("video", "camera", "c1")
        await sink.more()
        node.close_producer("r", "camera")
        assert node.stats()["consumers"] == node.stats()["producers"] == 0
        node.produce(alice.send, "camera2", "video", None, False)
        assert (await bob.subscribe("video", "camera2", "c2")) is sink
        await sink.more()


async def test_produce_and_consume_may_come_before_every_offer() -> None:
    async with call("alice", "bob") as (node, (alice, bob)):
        assert node.consume(bob.recv, "c1", "camera", "video", False) is None
        node.produce(alice.send, "camera", "video", None, False)
        bob.receiving.addTransceiver("video", "recvonly")
        answer = await bob.offer(bob.recv)
        alice.sending.addTransceiver(TestPicture(), "sendonly")
        await alice.offer(alice.send)
        await bob.sink(answer.consumers["c1"]).more()


async def test_candidates_may_come_before_the_offer_and_one_by_one() -> None:
    async with call("alice", "bob") as (node, (alice, bob)):
        pc = alice.sending
        pc.addTransceiver(TestPicture(), "sendonly")
        await pc.setLocalDescription(await pc.createOffer())
        lines = pc.localDescription.sdp.splitlines()
        candidates = [
            Candidate(line.removeprefix("a="), sdpMLineIndex=0) for line in lines if "candidate:" in line
        ]
        node.produce(alice.send, "camera", "video", None, False)
        node.add_candidates(alice.send, [Candidate("candidate:nonsense"), *candidates])
        node.add_candidates(alice.send, [Candidate("")])
        bare = "\r\n".join(line for line in lines if "candidate" not in line) + "\r\n"
        answer = await node.accept_offer(alice.send, "send", bare)
        await pc.setRemoteDescription(type(pc.localDescription)(answer.sdp, "answer"))
        await (await bob.subscribe("video", "camera", "c1")).more()


async def test_the_node_can_be_the_one_that_offers() -> None:
    async with call("alice", "bob") as (node, (alice, bob)):
        await alice.publish(camera=TestPicture(), microphone=TestTone())
        for consumer, producer, kind in (("c1", "camera", "video"), ("c2", "microphone", "audio")):
            node.consume(bob.recv, consumer, producer, kind, False)
            offer = await node.make_offer(bob.recv)
            pc = bob.receiving
            await pc.setRemoteDescription(type(alice.sending.localDescription)(offer.sdp, "offer"))
            await pc.setLocalDescription(await pc.createAnswer())
            await node.accept_answer(bob.recv, pc.localDescription.sdp)
            await bob.sink(offer.consumers[consumer]).more()


async def test_an_offer_with_other_credentials_begins_the_transport_anew() -> None:
    async with call("alice", "bob") as (_, (alice, bob)):
        await alice.publish(camera=TestPicture())
        sink = await bob.subscribe("video", "camera", "c1")
        await sink.more()
        await alice.sending.close()
        alice.sending = peer_connection(addresses=LOOPBACK)
        alice.sending.addTransceiver(TestPicture(), "sendonly")
        await alice.offer(alice.send)
        await sink.more()
        assert sink.times == sorted(set(sink.times))


async def test_states_are_told_in_order() -> None:
    states = States()
    async with call("alice", states=states) as (node, (alice,)):
        await alice.publish(camera=TestPicture())
        await eventually(lambda: "connected" in states.of(alice.send), "the transport connects")
        node.close_transport(alice.send)
        await eventually(lambda: "closed" in states.of(alice.send), "the end is told")
        assert states.of(alice.send) == ["new", "connecting", "connected", "closed"]


async def test_a_client_that_hangs_up_closes_its_transport() -> None:
    states = States()
    async with call("alice", "bob", states=states) as (node, (alice, bob)):
        await alice.publish(camera=TestPicture())
        await (await bob.subscribe("video", "camera", "c1")).more()
        await bob.receiving.close()
        await eventually(lambda: states.of(bob.recv)[-1] == "closed", "the end is told")
        assert node.stats()["transports"] == 1


async def test_a_refused_re_offer_leaves_the_call_as_it_was() -> None:
    async with call("alice", "bob") as (node, (alice, bob)):
        await alice.publish(camera=TestPicture())
        sink = await bob.subscribe("video", "camera", "c1")
        await sink.more()
        good = bob.receiving.localDescription.sdp
        section = "m=" + good.split("m=")[1].replace("a=mid:0", "a=mid:1").replace("VP8/", "XX8/").replace(
            "H264/", "XX4/"
        )
        for bad in (
            good + section,
            (good + section).replace("BUNDLE 0", "BUNDLE 0 1"),
            good.replace("a=mid:0", "a=mid:5"),
            good.replace("a=ice-pwd", "a=x"),
            good.replace("m=video", "m=chicken"),
            "v=0\r\n",
            "",
        ):
            with pytest.raises(BadSdp):
                await node.accept_offer(bob.recv, "recv", bad)
        await sink.more()
        await alice.publish(microphone=TestTone())
        await (await bob.subscribe("audio", "microphone", "c2")).more()


async def test_data_channels_are_refused_with_the_line() -> None:
    async with call("alice") as (node, (alice,)):
        alice.sending.createDataChannel("chat")
        await alice.sending.setLocalDescription(await alice.sending.createOffer())
        sdp = alice.sending.localDescription.sdp
        with pytest.raises(BadSdp) as caught:
            await node.accept_offer(alice.send, "send", sdp)
        assert sdp.splitlines()[caught.value.line - 1].startswith("m=application")
        assert node.stats()["transports"] == 0


async def test_closing_a_transport_during_its_offer_leaves_nothing() -> None:
    async with call("alice") as (node, (alice,)):
        alice.sending.addTransceiver("video", "sendonly")
        await alice.sending.setLocalDescription(await alice.sending.createOffer())
        sdp = alice.sending.localDescription.sdp
        offer = asyncio.ensure_future(node.accept_offer(alice.send, "send", sdp))
        await asyncio.sleep(0)
        node.close_transport(alice.send)
        with pytest.raises(MediaUnavailable):
            await offer
        assert node.stats()["transports"] == 0


async def test_unknown_ids_are_ignored() -> None:
    async with media_node() as node:
        nobody = TransportHandle("n1", "r", "nobody", "t")
        node.add_candidates(nobody, [Candidate("candidate:1 1 udp 1 127.0.0.1 9 typ host", "0", 0)])
        node.pause_producer("r", "x", True)
        node.pause_consumer("r", "x", True)
        node.close_producer("r", "x")
        node.close_consumer("r", "x")
        node.close_transport(nobody)
        await node.accept_answer(nobody, ANSWER)
        assert set(node.stats().values()) == {0}


async def test_a_closed_node_serves_nobody() -> None:
    async with media_node() as node:
        await node.close()
        handle = TransportHandle("n1", "r", "late", "t")
        node.produce(handle, "p", "video", None, False)
        assert node.consume(handle, "c", "p", "video", False) is None
        with pytest.raises(MediaUnavailable):
            await node.make_offer(handle)


async def test_a_producer_that_stops_and_starts_by_itself_goes_on() -> None:
    """The client pauses by not sending: its own clock stood still meanwhile."""
    async with call("alice", "bob") as (_, (alice, bob)):
        await alice.publish(camera=TestPicture())
        sink = await bob.subscribe("video", "camera", "c1")
        await sink.more()
        sender = alice.sending.getSenders()[0]
        sender.replaceTrack(None)
        sound = Sink(TestTone())
        await sink.silence(sound, 40)
        sender.replaceTrack(TestPicture())
        await sink.more()
        assert sink.times == sorted(set(sink.times))
        sound.track.stop()
        await asyncio.wait([sound._task])


ANSWER = (
    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
    "m=video 9 UDP/TLS/RTP/SAVPF 97\r\na=mid:0\r\na=rtcp-mux\r\n"
    "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\na=fingerprint:sha-256 00\r\na=setup:active\r\n"
)
