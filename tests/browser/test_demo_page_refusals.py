"""What goes wrong on the demo page is told in words, in Chromium and against a real node."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser, expect

from harness.browser import DEADLINE, Client, Participant, Wire, join_link, participant
from harness.demo_page import ROOM, link
from harness.node import running_node

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]


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
