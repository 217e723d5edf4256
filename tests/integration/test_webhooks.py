"""A real node tells a real receiver what happens in its rooms."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from harness.guest import guest
from harness.node import RunningNode, running_node
from harness.receiver import Receiver, receiver
from harness.settings import KEY_ID
from palaver.webhooks.journal import Journal

TOKEN = "an-admin-token-for-tests-of-more-than-32-bytes"


@asynccontextmanager
async def telling(to: Receiver, state_dir: Path | None = None, **webhooks: Any) -> AsyncIterator[RunningNode]:
    parts = {"urls": (to.url,), "key": KEY_ID, **webhooks}
    where = str(state_dir) if state_dir else ""
    async with running_node(state_dir=where, webhooks=parts, http={"admin_token": TOKEN}) as node:
        yield node


async def get(node: RunningNode, path: str) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with aiohttp.ClientSession(headers=headers) as session, session.get(node.http + path) as answer:
        return answer.status, await answer.text()


async def events(node: RunningNode, query: str = "") -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    url = f"{node.http}/v1/events?{query}"
    async with aiohttp.ClientSession(headers=headers) as session, session.get(url) as answer:
        assert answer.status == 200
        page: dict[str, Any] = await answer.json()
        return page


async def call(node: RunningNode, room: str = "room") -> None:
    """Six events: alice comes, publishes, and leaves."""
    async with guest(node, "alice", room) as alice:
        await alice.call("createProducer", id=f"mic-{room}", transport="t", kind="audio", source="microphone")
        await alice.call("leave")


SIX = [
    "room_started",
    "participant_joined",
    "track_published",
    "track_unpublished",
    "participant_left",
    "room_finished",
]


async def test_a_call_is_told_in_order_and_signed() -> None:
    async with receiver() as to, telling(to) as node:
        await call(node)
        told = await to.until(taken=6)
        assert [each["event"] for each in told] == SIX
        assert [each["seq"] for each in told] == [1, 2, 3, 4, 5, 6]
        assert told[2]["track"] == {"sid": "mic-room", "type": "AUDIO", "source": "MICROPHONE"}
        assert told[2]["participant"]["identity"] == "alice"
        assert {each["room"]["name"] for each in told} == {"room"}


async def test_a_receiver_that_fails_gets_them_again_in_order() -> None:
    async with receiver() as to, telling(to) as node:
        to.status = 500
        await call(node)
        await to.until(refused=2)
        to.status = 302  # is not followed, and counts as not arrived
        await to.until(refused=3)
        to.status = 200
        told = await to.until(taken=6)
        assert {each["id"] for each in to.refused} == {told[0]["id"]}, "the later ones wait for the first"
        assert [each["seq"] for each in told] == [1, 2, 3, 4, 5, 6]


async def test_a_receiver_that_never_answers_is_tried_again() -> None:
    async with receiver() as to, telling(to, timeout_seconds=0.1) as node:
        to.status = -1
        await call(node)
        await to.until(refused=2)
        to.status = 200
        assert [each["event"] for each in await to.until(taken=6)] == SIX


async def test_rooms_do_not_wait_for_one_another() -> None:
    async with receiver() as to, telling(to) as node:
        for room in ("a", "b", "c"):
            await call(node, room)
        told = await to.until(taken=18)
        for room in ("a", "b", "c"):
            assert [each["event"] for each in told if each["room"]["name"] == room] == SIX


async def test_each_receiver_gets_all() -> None:
    async with receiver() as one, receiver() as two:
        two.status = 503
        async with telling(one, urls=(one.url, two.url)) as node:
            await call(node)
            await one.until(taken=6)
            assert two.taken == []
            two.status = 200
            assert [each["event"] for each in await two.until(taken=6)] == SIX


async def test_the_queue_outlives_the_node(tmp_path: Path) -> None:
    async with receiver() as to:
        to.status = 503
        async with telling(to, tmp_path) as node:
            await call(node, "whole")
            async with guest(node, "bob", "cut off"):
                await to.until(refused=2)
        assert to.taken == []
        to.status = 200
        async with telling(to, tmp_path) as node:
            told = await to.until(taken=9)
            whole = [each for each in told if each["room"]["name"] == "whole"]
            cut_off = [each for each in told if each["room"]["name"] == "cut off"]
            assert [each["event"] for each in whole] == SIX
            assert [(each["event"], each["seq"]) for each in cut_off] == [
                ("room_started", 1),
                ("participant_joined", 2),
                ("room_finished", 3),
            ]
            assert cut_off[-1]["reason"] == "shutdown"
            await call(node, "afterwards")
            told = await to.until(taken=15)
            assert sorted(each["number"] for each in told) == list(range(1, 16))


async def test_what_was_sent_can_be_read_again(tmp_path: Path) -> None:
    async with receiver() as to, telling(to, tmp_path) as node:
        await call(node)
        told = await to.until(taken=6)
        first = await events(node, "limit=4")
        assert first == {"events": told[:4], "after": 4, "oldest": 1}
        assert await events(node, "after=4&limit=4") == {"events": told[4:], "after": 6, "oldest": 1}
        assert await events(node, "after=6") == {"events": [], "after": 6, "oldest": 1}


async def test_without_receivers_events_can_still_be_read(tmp_path: Path) -> None:
    async with running_node(http={"admin_token": TOKEN}, state_dir=str(tmp_path)) as node:
        await call(node)
    async with running_node(http={"admin_token": TOKEN}, state_dir=str(tmp_path)) as node:
        assert [each["event"] for each in (await events(node))["events"]] == SIX


async def test_a_full_disk_turns_readiness_and_stops_no_call(tmp_path: Path) -> None:
    def fill_up(journal: Journal) -> None:
        pages = journal._database.execute("PRAGMA page_count").fetchone()[0]
        journal._database.execute(f"PRAGMA max_page_count={pages}")

    def make_room(journal: Journal) -> None:
        journal._database.execute("PRAGMA max_page_count=1000000")

    async with receiver() as to, telling(to, tmp_path) as node:
        webhooks = node.node.webhooks
        assert webhooks is not None
        assert (await get(node, "/readyz"))[0] == 200
        await webhooks._recorder.read(fill_up)
        async with guest(node, "alice") as alice:
            calls = 0
            while webhooks.why_not_ready() is None:
                calls += 1
                await alice.call("createProducer", id="x", transport="t", kind="audio", source="microphone")
                await alice.call("closeProducer", id="x")
            status, why = await get(node, "/readyz")
            assert (status, why) == (503, "events cannot be kept: database or disk is full\n")
            async with guest(node, "bob"):
                assert (await alice.call("roomInfo"))["counts"]["peers"] == 2
            await webhooks._recorder.read(make_room)
            told = await to.until(taken=2 + 2 * calls + 1)
        assert [each["seq"] for each in told] == list(range(1, len(told) + 1))
        assert (await get(node, "/readyz"))[0] == 200


async def test_what_is_counted(tmp_path: Path) -> None:
    async with receiver() as to, telling(to, tmp_path) as node:
        await call(node)
        await to.until(taken=6)
        _, text = await get(node, "/metrics")
        assert "palaver_webhooks_given_up_total 0.0" in text
        assert "palaver_webhooks_sent_total" in text
