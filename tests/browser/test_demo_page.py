"""People use the demo page in Chromium, against a real node with its real media node."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec.structs import replace
from playwright.async_api import Browser, expect

from harness.browser import DEADLINE, Client, Participant, Wire, join_link, participant
from harness.node import RunningNode, running_node
from harness.settings import node_settings
from palaver.signaling.ports import Answer, Direction, MediaUnavailable, TransportHandle

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]

MODES = pytest.mark.parametrize("mode", ["node", "p2p"])
ROOM = "garden"
NO_DEVICES = """navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("no", "NotAllowedError"); }"""
FIRST_DENIED = """{
    const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    let denials = 3;  // both at once, then each alone
    navigator.mediaDevices.getUserMedia = async (what) => {
        if (denials-- > 0) throw new DOMException("no", "NotAllowedError");
        return ask(what);
    };
}"""


def link(node: RunningNode, identity: str, mode: str = "node", auto: bool = True, **claims: Any) -> str:
    return join_link(node.http, node.token(identity, room=ROOM, **claims), ROOM, mode, auto)


async def see_each_other(*people: Participant) -> None:
    for one in people:
        await one.is_in(len(people))
    for one in people:
        for other in people:
            if one is not other:
                await one.sees(other.identity)


@asynccontextmanager
async def two_in_a_call(
    browser: Browser, mode: str = "node", wire: Wire | None = None
) -> AsyncIterator[tuple[RunningNode, Participant, Participant]]:
    """A node, and anna and ben, who see each other; `wire` is anna's."""
    async with (
        running_node(demo=True) as node,
        participant(browser, link(node, "anna", mode), "anna", wire=wire) as anna,
        participant(browser, link(node, "ben", mode), "ben") as ben,
    ):
        await see_each_other(anna, ben)
        yield node, anna, ben


@MODES
async def test_two_pages_see_and_hear_each_other(browser: Browser, mode: str) -> None:
    async with two_in_a_call(browser, mode) as (_, anna, ben):
        await anna.shows("ben", microphone="on", camera="on")
        await anna.hears("ben")
        await ben.hears("anna")
        assert anna.problems == []
        assert ben.problems == []


@MODES
async def test_a_third_joins_later_and_everybody_sees_everybody(browser: Browser, mode: str) -> None:
    async with (
        two_in_a_call(browser, mode) as (node, anna, ben),
        participant(browser, link(node, "cleo", mode), "cleo") as cleo,
    ):
        await cleo.is_in(3)
        await cleo.sees("anna")
        await cleo.sees("ben")
        await anna.sees("cleo")
        await ben.sees("cleo")


@MODES
async def test_a_muted_camera_shows_at_the_other_side_and_stops_its_frames(
    browser: Browser, mode: str
) -> None:
    async with two_in_a_call(browser, mode) as (_, anna, ben):
        await anna.click("camera")
        await ben.shows("anna", camera="off", microphone="on")
        await ben.sees_stillness("anna")
        await anna.click("camera")
        await ben.shows("anna", camera="on")
        await ben.sees("anna")


@MODES
async def test_a_muted_microphone_shows_at_the_other_side(browser: Browser, mode: str) -> None:
    async with two_in_a_call(browser, mode) as (_, anna, ben):
        await anna.click("microphone")
        await ben.shows("anna", camera="on", microphone="off")
        await expect(ben.tile("anna").locator(".badge")).to_be_visible()
        await expect(anna.page.locator("#microphone")).to_have_attribute("aria-pressed", "false")
        await anna.click("microphone")
        await ben.shows("anna", microphone="on")
        await expect(ben.tile("anna").locator(".badge")).to_be_hidden()


@MODES
async def test_leaving_removes_the_tile_and_one_can_join_again(browser: Browser, mode: str) -> None:
    async with two_in_a_call(browser, mode) as (_, anna, ben):
        await ben.click("leave")
        await expect(ben.page.locator("#problem")).to_have_text("You left the room.")
        await anna.is_in(1)
        await ben.click("join")
        await see_each_other(anna, ben)


async def test_closing_the_window_leaves_at_once(browser: Browser) -> None:
    async with (
        running_node(demo=True, rooms={"grace_ms": 600_000}) as node,
        participant(browser, link(node, "anna"), "anna") as anna,
        participant(browser, link(node, "ben"), "ben") as ben,
    ):
        await anna.is_in(2)
        await ben.page.goto("about:blank")
        await anna.is_in(1)


async def test_one_click_joins_when_the_link_has_a_token(browser: Browser) -> None:
    async with (
        running_node(demo=True) as node,
        participant(browser, link(node, "anna", auto=False, name="Anna L"), "anna") as anna,
    ):
        await expect(anna.page.locator("#summary")).to_have_text("Join garden as Anna L.")
        await anna.click("join")
        await anna.is_in(1)


async def test_a_pasted_join_link_is_as_good_as_a_token(browser: Browser) -> None:
    async with running_node(demo=True) as node, participant(browser, f"{node.http}/", "anna") as anna:
        await anna.page.fill("#token", link(node, "anna", auto=False))
        await anna.click("join")
        await anna.is_in(1)


async def test_a_name_with_html_is_shown_as_text(browser: Browser) -> None:
    name = "<img src=x onerror=alert(1)><b>Eve</b>"
    async with (
        running_node(demo=True) as node,
        participant(browser, link(node, "anna"), "anna") as anna,
        participant(browser, link(node, "eve", name=name), "eve") as eve,
    ):
        await anna.is_in(2)
        await expect(anna.tile("eve").locator(".name")).to_have_text(name)
        await expect(anna.page.locator("#tiles img, #tiles b")).to_have_count(0)
        await eve.is_in(2)
        assert anna.problems == []


# ---- what goes wrong, in words


async def problem(person: Participant, text: str) -> None:
    await expect(person.page.locator("#problem")).to_contain_text(text, timeout=DEADLINE * 1000)
    await expect(person.page.locator("#join")).to_be_enabled()


async def test_a_bad_token_is_told_in_words(browser: Browser) -> None:
    async with running_node(demo=True) as node:
        token = node.token("anna", room=ROOM)
        forged = token[:-4] + ("AAAA" if not token.endswith("AAAA") else "BBBB")
        async with participant(browser, join_link(node.http, forged, ROOM), "anna") as anna:
            await problem(anna, "This token is not valid.")


async def test_an_expired_token_is_told_in_words(browser: Browser) -> None:
    async with running_node(demo=True) as node:
        token = node.token("anna", room=ROOM, ttl_seconds=-3600)
        async with participant(browser, join_link(node.http, token, ROOM), "anna") as anna:
            await problem(anna, "This token has expired.")


async def test_a_token_for_another_room_is_told_in_words(browser: Browser) -> None:
    async with running_node(demo=True) as node:
        link_ = join_link(node.http, node.token("anna", room="attic"), ROOM)
        async with participant(browser, link_, "anna") as anna:
            await problem(anna, "This token does not allow that.")


async def test_a_full_room_is_told_in_words(browser: Browser) -> None:
    async with (
        running_node(demo=True, limits={"room_participants": 1}) as node,
        participant(browser, link(node, "anna"), "anna") as anna,
    ):
        await anna.is_in(1)
        async with participant(browser, link(node, "ben"), "ben") as ben:
            await problem(ben, "The room is full.")


async def test_joining_elsewhere_closes_the_first_window_for_good(browser: Browser) -> None:
    async with (
        running_node(demo=True) as node,
        participant(browser, link(node, "anna"), "anna") as first,
    ):
        await first.is_in(1)
        async with participant(browser, link(node, "anna"), "anna") as second:
            await problem(first, "You joined again from another window")
            await second.is_in(1)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (4502, "A moderator removed you from the room."),
        (4503, "You are banned from this room."),
        (4506, "The room was closed."),
    ],
)
async def test_a_final_close_is_told_in_words_and_not_retried(browser: Browser, code: int, text: str) -> None:
    wire = Wire()
    async with (
        running_node(demo=True) as node,
        participant(browser, link(node, "anna"), "anna", wire=wire) as anna,
    ):
        await anna.is_in(1)
        await wire.cut(code)
        await problem(anna, text)
        assert wire.opened == 1


@pytest.mark.parametrize(
    ("ban", "text"),
    [
        ({}, "A moderator removed you from the room."),
        ({"ban": {"scope": "room", "ttlS": 60}}, "You are banned from this room."),
    ],
)
async def test_whoever_is_kicked_is_told_and_stays_out(
    browser: Browser, ban: dict[str, Any], text: str
) -> None:
    async with (
        running_node(demo=True) as node,
        participant(browser, link(node, "anna"), "anna") as anna,
        participant(browser, link(node, "ben"), "ben") as ben,
    ):
        await anna.is_in(2)
        moderator = await Client.join(ben.page, node.url, node.token("mo", room=ROOM, role="moderator"))
        await moderator.call("kickUser", {"identity": "anna", **ban})
        await problem(anna, text)
        await expect(ben.tile("anna")).to_have_count(0)
        if ban:
            await anna.click("join")
            await problem(anna, text)


async def test_a_locked_room_is_told_in_words(browser: Browser) -> None:
    async with (
        running_node(demo=True) as node,
        participant(browser, link(node, "ben"), "ben") as ben,
    ):
        await ben.is_in(1)
        moderator = await Client.join(ben.page, node.url, node.token("mo", room=ROOM, role="moderator"))
        await moderator.call("lockRoom", {"mode": "closed"})
        async with participant(browser, link(node, "anna"), "anna") as anna:
            await problem(anna, "The room is locked.")


async def test_a_moderator_mutes_lifts_it_and_asks(browser: Browser) -> None:
    async with (
        running_node(demo=True) as node,
        participant(browser, link(node, "anna"), "anna") as anna,
        participant(browser, link(node, "maud", role="moderator"), "maud") as maud,
    ):
        await see_each_other(anna, maud)
        await expect(anna.page.locator("#microphone")).to_have_attribute("aria-pressed", "true")
        peer = await maud.tile("anna").get_attribute("data-peer")
        moderator = await Client.join(maud.page, node.url, node.token("mo", room=ROOM, role="moderator"))
        await moderator.call("mute", {"target": {"peer": peer, "source": "microphone"}})
        await expect(anna.page.locator("#notice")).to_contain_text("A moderator muted your microphone.")
        await expect(anna.page.locator("#microphone")).to_have_attribute("aria-pressed", "false")
        await maud.shows("anna", microphone="off", camera="on")
        await anna.click("microphone")
        await expect(anna.page.locator("#notice")).to_contain_text(
            "Only a moderator can turn your microphone on"
        )
        await expect(anna.page.locator("#microphone")).to_have_attribute("aria-pressed", "false")
        await moderator.call("unmute", {"target": {"peer": peer, "source": "microphone"}})
        await expect(anna.page.locator("#notice")).to_contain_text("asks you to turn on your microphone")
        await maud.shows("anna", microphone="off")
        await anna.page.click("#notice-action")
        await maud.shows("anna", microphone="on")
        await expect(anna.page.locator("#microphone")).to_have_attribute("aria-pressed", "true")


@MODES
async def test_without_a_camera_one_can_still_watch(browser: Browser, mode: str) -> None:
    async with (
        running_node(demo=True) as node,
        participant(browser, link(node, "anna", mode), "anna", [NO_DEVICES]) as anna,
        participant(browser, link(node, "ben", mode), "ben") as ben,
    ):
        await anna.is_in(2)
        await expect(anna.page.locator("#notice")).to_contain_text("You can still see and hear the others")
        await anna.sees("ben")
        await anna.hears("ben")
        await ben.shows("anna", camera="off", microphone="off")


@pytest.mark.parametrize("claims", [{"role": "observer"}, {"canPublish": False}])
async def test_who_may_only_watch_is_not_asked_for_a_camera(browser: Browser, claims: dict[str, Any]) -> None:
    async with (
        running_node(demo=True) as node,
        participant(browser, link(node, "anna", **claims), "anna", [NO_DEVICES]) as anna,
        participant(browser, link(node, "ben"), "ben") as ben,
    ):
        await ben.is_in(2)
        await expect(anna.page.locator("#notice")).to_contain_text("You are here to watch")
        await anna.sees("ben")


@MODES
async def test_what_the_token_does_not_allow_is_not_sent_and_the_rest_is(browser: Browser, mode: str) -> None:
    async with (
        running_node(demo=True) as node,
        participant(browser, link(node, "anna", mode, canPublishSources=["camera"]), "anna") as anna,
        participant(browser, link(node, "ben", mode), "ben") as ben,
    ):
        await anna.is_in(2)
        await expect(anna.page.locator("#notice")).to_contain_text("This token does not allow that.")
        await expect(anna.page.locator("#microphone")).to_have_attribute("aria-pressed", "false")
        await ben.shows("anna", camera="on", microphone="off")
        await ben.sees("anna")


@MODES
async def test_a_camera_that_was_denied_can_be_turned_on_later(browser: Browser, mode: str) -> None:
    async with (
        running_node(demo=True) as node,
        participant(browser, link(node, "anna", mode), "anna", [FIRST_DENIED]) as anna,
        participant(browser, link(node, "ben", mode), "ben") as ben,
    ):
        await anna.is_in(2)
        await anna.sees("ben")
        await anna.click("camera")
        await ben.shows("anna", camera="on", microphone="off")
        await ben.sees("anna")


@MODES
async def test_a_camera_that_a_moderator_ends_can_be_turned_on_again(browser: Browser, mode: str) -> None:
    async with two_in_a_call(browser, mode) as (node, anna, ben):
        moderator = await Client.join(ben.page, node.url, node.token("mo", room=ROOM, role="moderator"))
        camera = "[...client.producers.values()].find(({ peer, kind }) => kind === 'video' && peer === anna)"
        peer = await ben.tile("anna").get_attribute("data-peer")
        await moderator.call(
            "closeProducer", {"id": await moderator.get(f"{camera}.id".replace("anna", f"'{peer}'"))}
        )
        await expect(anna.page.locator("#notice")).to_contain_text("A moderator turned your camera off.")
        await ben.shows("anna", camera="off", microphone="on")
        await anna.click("camera")
        await ben.sees("anna")


# ---- losing the connection

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
