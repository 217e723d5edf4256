"""The client against a real node: calls through the media node and from peer to peer, frames counted at both ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from aiortc.mediastreams import MediaStreamError

from harness.media import LOOPBACK, Sink, decoders, eventually, no_tasks_left, open_sockets
from harness.node import RunningNode, running_node
from palaver.client import Client, MediaEnded, RequestRefused, connect
from palaver.rtc.patterns import TestPicture, TestTone, read_number


@contextlib.asynccontextmanager
async def call(*names: str) -> AsyncIterator[tuple[RunningNode, list[Client]]]:
    """A node and so many clients in one room; what they start is gone afterwards."""
    sockets = open_sockets()
    async with no_tasks_left(), running_node() as node, contextlib.AsyncExitStack() as stack:
        clients = []
        for i, name in enumerate(names):
            encoding = "msgpack" if i % 2 else "json"
            client = connect(node.url, node.token(name, "r"), encoding=encoding, addresses=LOOPBACK)
            clients.append(await stack.enter_async_context(client))
            await client.join("r")
        yield node, clients
    await eventually(lambda: decoders() == 0, "decoder threads end")
    await eventually(lambda: open_sockets() <= sockets, "sockets are closed")


async def see(client: Client, producer: str) -> None:
    await eventually(lambda: producer in client.room.producers, "the producer is announced")


async def test_a_picture_and_a_tone_go_through_the_media_node() -> None:
    async with call("alice", "bob") as (_, (alice, bob)):
        camera = await alice.publish(TestPicture())
        voice = await alice.publish(TestTone())
        await see(bob, voice.id)
        subscriptions = await asyncio.gather(bob.subscribe(camera.id), bob.subscribe(voice.id))
        picture, sound = sinks = [Sink(subscription.track) for subscription in subscriptions]
        for sink in sinks:
            await sink.more(10)
        assert camera.frames >= picture.frames
        assert voice.frames >= sound.frames
        assert read_number(picture.last) <= camera.frames
        assert [bob.room.producers[p.id].source for p in (camera, voice)] == ["camera", "microphone"]


async def test_both_see_each_other() -> None:
    async with call("alice", "bob") as (_, clients):
        publications = await asyncio.gather(*(client.publish(TestPicture()) for client in clients))
        for me, other in (0, 1), (1, 0):
            await see(clients[me], publications[other].id)
            await Sink((await clients[me].subscribe(publications[other].id)).track).more()


async def test_pause_stops_the_frames_at_either_end_and_resume_brings_them_back() -> None:
    async with call("alice", "bob") as (_, (alice, bob)):
        camera = await alice.publish(TestPicture())
        await see(bob, camera.id)
        subscription = await bob.subscribe(camera.id)
        sink = Sink(subscription.track)
        for end in camera, subscription:
            await sink.more()
            await end.pause()
            await sink.silence(lambda: camera.frames)
            await end.resume()
        await sink.more()
        assert sink.times == sorted(set(sink.times))
        await camera.pause()
        await eventually(lambda: bob.room.producers[camera.id].paused, "the pause is told")


async def test_a_closed_publication_ends_its_subscriptions_and_its_section_is_used_again() -> None:
    async with call("alice", "bob") as (_, (alice, bob)):
        first = await alice.publish(TestPicture())
        await see(bob, first.id)
        subscription = await bob.subscribe(first.id)
        await Sink(subscription.track).more()
        await first.close()
        async with asyncio.timeout(5):
            await subscription.ended.wait()
        with pytest.raises(MediaStreamError):
            await subscription.track.recv()
        with pytest.raises(MediaEnded):
            await first.resume()
        second = await alice.publish(TestPicture(width=160, height=120), source="screen")
        await see(bob, second.id)
        sink = Sink((await bob.subscribe(second.id)).track)
        await eventually(
            lambda: sink.last is not None and sink.last.width == 160, "the other picture is there"
        )
        for transport in alice.media._send, bob.media._recv:
            assert len(transport.pc.getTransceivers()) == 1


async def test_a_track_may_be_published_twice_and_seen_by_many() -> None:
    async with call("alice", "bob", "carol") as (_, (alice, bob, carol)):
        track = TestPicture()
        one, two = await alice.publish(track), await alice.publish(track, source="screen")
        for viewer, publication in (bob, one), (carol, one), (carol, two):
            await see(viewer, publication.id)
            await Sink((await viewer.subscribe(publication.id)).track).more()
        await one.close()
        await Sink((await bob.subscribe(two.id)).track).more()


async def test_a_refused_publication_leaves_nothing_behind() -> None:
    async with call("alice") as (node, (alice,)):
        await alice.leave()
        observer = connect(node.url, node.token("o", "r", role="observer"), addresses=LOOPBACK)
        async with observer:
            await observer.join("r")
            with pytest.raises(RequestRefused) as caught:
                await observer.publish(TestPicture())
            assert caught.value.reason == "forbidden"
            assert not observer.media.publications
            with pytest.raises(MediaEnded):
                await observer.subscribe("nothing")


async def test_media_goes_on_after_a_lost_socket() -> None:
    async with call("alice", "bob") as (_, (alice, bob)):
        camera = await alice.publish(TestPicture())
        await see(bob, camera.id)
        sink = Sink((await bob.subscribe(camera.id)).track)
        await sink.more()
        for client in alice, bob:
            client._session._line.socket._transport.disconnect(False)
        await eventually(lambda: "reconnecting" in (alice.state, bob.state), "the loss is noticed")
        await sink.more()
        await eventually(lambda: alice.state == bob.state == "joined", "both come back")
        await sink.more()


async def test_everything_is_made_anew_after_a_lost_session() -> None:
    async with call("alice", "bob") as (_, (alice, bob)):
        camera = await alice.publish(TestPicture())
        await see(bob, camera.id)
        await Sink((await bob.subscribe(camera.id)).track).more()
        alice._session._ticket = "lost"
        alice._session._line.socket._transport.disconnect(False)
        await eventually(lambda: bool(bob.media.subscriptions) is False, "the old producer is closed")
        await eventually(lambda: camera.id in bob.room.producers, "the producer is back")
        await Sink((await bob.subscribe(camera.id)).track).more()


async def test_a_connection_that_breaks_is_made_anew_at_either_end() -> None:
    async with call("alice", "bob") as (node, (alice, bob)):
        camera = await alice.publish(TestPicture())
        await see(bob, camera.id)
        subscription = await bob.subscribe(camera.id)
        sink = Sink(subscription.track)
        await sink.more()
        media = node.node.media

        async def break_link(name: str) -> None:
            link = next(t.link for t in media._transports.values() if t.handle.transport == name)
            await link._pc.close()

        await break_link("recv")
        await eventually(lambda: "recv.1" in bob.media.states, "the receiving connection is made anew")
        await sink.more()
        assert not subscription.closed
        await break_link("send")
        async with asyncio.timeout(10):
            await subscription.ended.wait()
        await see(bob, camera.id)
        await Sink((await bob.subscribe(camera.id)).track).more()


async def test_two_peers_call_each_other_directly() -> None:
    async with call("alice", "bob") as (_, (alice, bob)):
        answered = []

        def answering(call):
            answered.append(call)
            return [TestPicture(160, 120), TestTone()]

        alice.answer_calls(answering)
        outgoing = await bob.call_peer(alice.room.you.id, [TestPicture(), TestTone()])
        await outgoing.connected()
        for end, width in (outgoing, 160), (answered[0], 320):
            await eventually(lambda end=end: len(end.tracks) == 2, "both tracks are there")
            sinks = [Sink(track) for track in end.tracks]
            for sink in sinks:
                await sink.more(10)
            assert {sink.last.width for sink in sinks if sink.track.kind == "video"} == {width}
        await outgoing.close()
        async with asyncio.timeout(10):
            await answered[0].ended.wait()


async def test_when_both_call_at_once_there_is_one_call() -> None:
    async with call("alice", "bob") as (_, clients):
        for client in clients:
            client.answer_calls(lambda call: [TestPicture()])
        ids = [client.room.you.id for client in clients]
        await eventually(lambda: ids[1] in clients[0].room.peers, "they see each other")
        tracks = [TestPicture(), TestPicture()]
        calls = await asyncio.gather(
            clients[0].call_peer(ids[1], [tracks[0]]), clients[1].call_peer(ids[0], [tracks[1]])
        )
        for end in calls:
            await end.connected()
            video = next(track for track in end.tracks if track.kind == "video")
            await Sink(video).more()


async def test_leaving_just_when_the_peer_leaves_closes_everything() -> None:
    async with call("alice", "bob") as (_, (alice, bob)):
        alice.answer_calls(lambda call: [TestPicture(), TestTone()])
        outgoing = await bob.call_peer(alice.room.you.id, [TestPicture(), TestTone()])
        await outgoing.connected()
        alice.on("peerLeft", lambda event: left.set())
        left = asyncio.Event()
        leaving = asyncio.create_task(bob.leave())
        await left.wait()
        await alice.leave()
        await leaving


async def test_a_call_ends_when_the_peer_leaves() -> None:
    async with call("alice", "bob") as (_, (alice, bob)):
        alice.answer_calls(lambda call: [TestTone()])
        outgoing = await bob.call_peer(alice.room.you.id, [TestTone()])
        await outgoing.connected()
        await alice.leave()
        async with asyncio.timeout(5):
            await outgoing.ended.wait()
