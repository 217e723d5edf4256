"""People use the demo page in Chromium, against a real node with its real media node."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser, expect

from harness.browser import Client, participant
from harness.demo_page import MODES, ROOM, link, see_each_other, two_in_a_call
from harness.node import running_node

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]

NO_DEVICES = """navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("no", "NotAllowedError"); }"""
FIRST_DENIED = """{
    const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    let denials = 3;  // both at once, then each alone
    navigator.mediaDevices.getUserMedia = async (what) => {
        if (denials-- > 0) throw new DOMException("no", "NotAllowedError");
        return ask(what);
    };
}"""


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
