"""The demo page loses its connection, its media path or its node, and gets them back: Chromium and a real node."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from playwright.async_api import Browser, expect

from harness.browser import Wire, participant
from harness.demo_page import MODES, link, see_each_other, two_in_a_call
from harness.node import running_node
from harness.settings import node_settings
from palaver.signaling.ports import Answer, Direction, MediaUnavailable, TransportHandle

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]

FAILING = """{
    const Real = RTCPeerConnection;
    globalThis.connections = [];
    globalThis.RTCPeerConnection = class extends Real {
        constructor(...options) { super(...options); connections.push(this); }
        get connectionState() { return this.failing ? "failed" : super.connectionState; }
        get iceConnectionState() { return this.failing ? "failed" : super.iceConnectionState; }
    };
    // What a lost network path looks like to the page, without waiting half a minute for it.
    globalThis.fail = () => {
        for (const one of connections.filter((one) => one.signalingState !== "closed")) {
            one.failing = true;
            one.dispatchEvent(new Event("connectionstatechange"));
            setTimeout(() => (one.failing = false));
        }
        return connections.length;
    };
}"""


@MODES
async def test_a_failed_media_path_is_made_anew(browser: Browser, mode: str) -> None:
    wire = Wire()
    async with (
        running_node(demo=True) as node,
        participant(browser, link(node, "anna", mode), "anna") as anna,
        participant(browser, link(node, "ben", mode), "ben", [FAILING], wire=wire) as ben,
    ):
        await see_each_other(anna, ben)
        before = [one["method"] for one in wire.sent].count("sdpOffer")
        await ben.page.evaluate("fail()")
        await wire.sends("sdpOffer", before + (2 if mode == "node" else 1))
        await see_each_other(anna, ben)
        assert ben.problems == []


@MODES
async def test_a_lost_socket_is_resumed_and_the_pictures_go_on(browser: Browser, mode: str) -> None:
    wire = Wire()
    async with two_in_a_call(browser, mode, wire=wire) as (_, anna, ben):
        peer = await ben.tile("anna").get_attribute("data-peer")
        await wire.cut()
        await wire.connects(2)
        await anna.is_in(2)
        await wire.sends("join", 2)
        assert "resume" in [one for one in wire.sent if one["method"] == "join"][1]["params"]
        assert await ben.tile("anna").get_attribute("data-peer") == peer
        await see_each_other(anna, ben)


async def test_what_happened_while_away_is_seen_after_the_resume(browser: Browser) -> None:
    wire = Wire()
    async with two_in_a_call(browser, wire=wire) as (node, anna, ben):
        await wire.cut()
        await ben.click("camera")
        async with participant(browser, link(node, "cleo"), "cleo") as cleo:
            await cleo.is_in(3)
            await anna.is_in(3)
            await anna.shows("ben", camera="off")
            await anna.sees("cleo")


async def test_a_lost_event_is_noticed_and_fetched(browser: Browser) -> None:
    wire = Wire()
    async with two_in_a_call(browser, wire=wire) as (_, anna, ben):
        wire.lose = "producerPaused"
        await ben.click("microphone")
        await ben.click("camera")
        await anna.shows("ben", microphone="off", camera="off")
        assert wire.opened == 2


async def test_a_silent_server_is_given_up_and_found_again(browser: Browser) -> None:
    wire = Wire()
    async with (
        running_node(demo=True, gateway={"ping_ms": 200}) as node,
        participant(browser, link(node, "anna"), "anna", wire=wire) as anna,
    ):
        await anna.is_in(1)
        wire.silent = True
        await wire.connects(2)
        await anna.is_in(1)


async def test_a_media_node_that_is_busy_is_asked_again(browser: Browser) -> None:
    async with (
        running_node(demo=True) as node,
        participant(browser, link(node, "ben"), "ben") as ben,
    ):
        await ben.is_in(1)
        media = node.node.media
        assert media is not None
        accept, refusals = media.accept_offer, iter(["send", "recv"])

        async def busy(handle: TransportHandle, direction: Direction, sdp: str) -> Answer:
            caller = node.node.plane.sessions.rooms[handle.room].participants[handle.peer]
            # Not to ben: on a slow machine his first offer may come only now.
            if caller.identity == "anna" and next(refusals, None):
                raise MediaUnavailable("no room for more")
            return await accept(handle, direction, sdp)

        media.accept_offer = busy  # type: ignore[method-assign]  # a media node at its limit, for two offers
        async with participant(browser, link(node, "anna"), "anna") as anna:
            await expect(anna.page.locator("#notice")).to_contain_text(
                "The media node cannot take this call now"
            )
            await see_each_other(anna, ben)


@MODES
async def test_after_a_restart_of_the_server_everybody_is_back(browser: Browser, mode: str) -> None:
    settings = node_settings(demo=True)
    async with running_node(settings) as node:
        anna_link, ben_link = link(node, "anna", mode), link(node, "ben", mode)
        settings = replace(
            settings,
            gateway=replace(settings.gateway, port=node.node.gateway_address[1]),
            http=replace(settings.http, port=node.node.http_address[1]),
        )
        people = participant(browser, anna_link, "anna"), participant(browser, ben_link, "ben")
        anna, ben = await people[0].__aenter__(), await people[1].__aenter__()
        await see_each_other(anna, ben)
        await anna.click("microphone")
        await ben.shows("anna", microphone="off")
    await expect(anna.page.locator("#state")).to_have_attribute("data-state", "reconnecting")
    async with running_node(settings):
        await see_each_other(anna, ben)
        await ben.shows("anna", microphone="off", camera="on")
        for one in people:
            await one.__aexit__(None, None, None)
