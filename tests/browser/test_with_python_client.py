"""The page and the Python client in one room: two implementations, written apart from one another."""

from __future__ import annotations

import asyncio

import pytest
from av import VideoFrame
from playwright.async_api import Browser, expect

from harness.browser import DEADLINE, join_link, participant
from harness.node import RunningNode, running_node
from palaver.client import connect
from palaver.client.peer_call import PeerCall
from palaver.rtc.patterns import TestPicture, TestTone

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]

ROOM = "garden"
LOOPBACK = ("127.0.0.1",)


def link(node: RunningNode, identity: str, mode: str) -> str:
    return join_link(node.http, node.token(identity, room=ROOM), ROOM, mode)


def width(frame: object) -> int:
    assert isinstance(frame, VideoFrame)
    return frame.width


async def test_the_page_sees_and_hears_what_the_python_client_publishes(browser: Browser) -> None:
    async with (
        running_node(demo=True) as node,
        connect(node.url, node.token("bot", room=ROOM), addresses=LOOPBACK) as bot,
    ):
        await bot.join(ROOM)
        await bot.publish(TestPicture())
        await bot.publish(TestTone())
        async with participant(browser, link(node, "anna", "node"), "anna") as anna:
            await anna.is_in(2)
            await anna.sees("bot")
            await anna.hears("bot")


async def test_the_python_client_gets_the_frames_of_the_page(browser: Browser) -> None:
    async with (
        running_node(demo=True) as node,
        connect(node.url, node.token("bot", room=ROOM), addresses=LOOPBACK) as bot,
    ):
        room = await bot.join(ROOM)
        async with (
            participant(browser, link(node, "anna", "node"), "anna") as anna,
            asyncio.timeout(DEADLINE),
        ):
            await anna.is_in(2)
            async for _ in bot.events():
                if any(each.kind == "video" for each in room.producers.values()):
                    break
            video = next(each for each in room.producers.values() if each.kind == "video")
            subscription = await bot.subscribe(video.id)
            assert width(await subscription.track.recv()) == 320


async def test_the_page_calls_a_python_client_that_was_here_first(browser: Browser) -> None:
    calls: list[PeerCall] = []

    def answer(call: PeerCall) -> list[TestPicture | TestTone]:
        calls.append(call)
        return [TestPicture(), TestTone()]

    async with (
        running_node(demo=True) as node,
        connect(node.url, node.token("bot", room=ROOM), addresses=LOOPBACK) as bot,
    ):
        await bot.join(ROOM)
        bot.answer_calls(answer)
        async with participant(browser, link(node, "anna", "p2p"), "anna") as anna:
            await anna.is_in(2)
            await anna.sees("bot")
            await anna.shows("bot", microphone="on")
            await calls[0].connected()
            video = next(track for track in calls[0].tracks if track.kind == "video")
            async with asyncio.timeout(DEADLINE):
                assert width(await video.recv()) == 320


async def test_a_python_client_that_comes_later_calls_the_page(browser: Browser) -> None:
    async with (
        running_node(demo=True) as node,
        participant(browser, link(node, "anna", "p2p"), "anna") as anna,
        connect(node.url, node.token("bot", room=ROOM), addresses=LOOPBACK) as bot,
    ):
        await anna.is_in(1)
        room = await bot.join(ROOM)
        await bot.call_peer(next(iter(room.peers)), [TestPicture()])
        await anna.sees("bot")
        await anna.shows("bot", microphone="off")
        await expect(anna.tile("bot").locator(".note")).to_be_hidden()
