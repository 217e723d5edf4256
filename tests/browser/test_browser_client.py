"""The client module on its own, in a page of a real node."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path

import pytest
from aiohttp import web
from playwright.async_api import Browser, Page, expect

from harness.browser import Client, Wire, join_link, participant
from harness.media import eventually
from harness.node import RunningNode, running_node
from harness.web_app import on_loopback
from palaver.client import connect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]

ROOM = "garden"


@asynccontextmanager
async def blank_page(browser: Browser, node: RunningNode, wire: Wire | None = None) -> AsyncIterator[Page]:
    context = await browser.new_context()
    try:
        page = await context.new_page()
        if wire is not None:
            await wire.attach(page)
        await page.goto(node.http)
        yield page
    finally:
        await context.close()


async def test_a_refused_request_is_a_typed_error_with_its_reason(browser: Browser) -> None:
    async with running_node(demo=True) as node, blank_page(browser, node) as page:
        client = await Client.join(page, node.url, node.token("anna", room=ROOM))
        error = await client.call("closeProducer", {"id": "nothing"})
        assert (error["name"], error["reason"], error["retry"]) == ("RequestRefused", "not_found", "never")
        assert error["method"] == "closeProducer"
        error = await client.call("noSuchVerb", {})
        assert (error["name"], error["code"]) == ("RequestRefused", -32601)


async def test_a_refused_join_closes_the_client(browser: Browser) -> None:
    async with running_node(demo=True) as node, blank_page(browser, node) as page:
        client = await Client.make(page, node.url)
        error = await client.run("join", {"room": ROOM, "token": "no token"})
        assert (error["name"], error["reason"]) == ("RequestRefused", "token_invalid")
        assert await client.get("client.state") == "closed"
        assert (await client.call("roomInfo", {}))["reason"] == "wrong_state"


async def test_a_gateway_that_cannot_be_reached_is_a_lost_connection(browser: Browser) -> None:
    async with running_node(demo=True) as node, blank_page(browser, node) as page:
        client = await Client.make(page, node.url.replace("/v1", "/v2"))
        error = await client.run("join", {"room": ROOM, "token": node.token("anna", room=ROOM)})
        assert (error["name"], error["reason"]) == ("ConnectionLost", "unreachable")


async def test_the_mirror_follows_the_room(browser: Browser) -> None:
    async with running_node(demo=True) as node, blank_page(browser, node) as page:
        anna = await Client.join(page, node.url, node.token("anna", room=ROOM))
        ben = await Client.join(page, node.url, node.token("ben", room=ROOM, name="Ben"))
        await anna.call("roomInfo", {})  # two sockets: only what came before its reply has been seen for sure
        assert await anna.get("[...client.peers.values()].map((peer) => peer.name)") == ["Ben"]
        await ben.call(
            "createProducer", {"id": "mic", "transport": "t", "kind": "audio", "source": "microphone"}
        )
        await anna.call("roomInfo", {})
        assert await anna.get("client.producers.get('mic').paused") is False
        assert await ben.get("client.producers.size") == 0
        await ben.call("pauseProducer", {"id": "mic"})
        await anna.call("roomInfo", {})
        assert await anna.get("client.producers.get('mic').paused") is True
        await ben.run("leave")
        await anna.call("roomInfo", {})
        assert await anna.get("[client.peers.size, client.producers.size]") == [0, 0]


async def test_leaving_is_a_quiet_end(browser: Browser) -> None:
    async with running_node(demo=True) as node, blank_page(browser, node) as page:
        client = await Client.join(page, node.url, node.token("anna", room=ROOM))
        await client.run("leave")
        assert await client.get("client.log") == ["connecting", "joined", "closed closed"]


async def test_a_request_made_while_the_socket_is_gone_is_answered_after_the_resume(browser: Browser) -> None:
    wire = Wire()
    async with running_node(demo=True) as node, blank_page(browser, node, wire) as page:
        client = await Client.join(page, node.url, node.token("anna", room=ROOM))
        peer = await client.get("client.you.peer")
        await wire.cut()
        await client.becomes("reconnecting")
        info = await client.call("roomInfo", {})
        assert [each["peer"] for each in info["peers"]] == [peer]
        assert await client.get("client.you.peer") == peer


async def test_a_request_without_an_answer_is_sent_again_after_the_resume(browser: Browser) -> None:
    wire = Wire()
    params = {"id": "mic", "transport": "t", "kind": "audio", "source": "microphone"}
    async with running_node(demo=True) as node, blank_page(browser, node, wire) as page:
        client = await Client.join(page, node.url, node.token("anna", room=ROOM))
        wire.silent = True
        await client.get(
            f"{{ client.answer = client.call('createProducer', {params!r}); }}".replace("'", '"')
        )
        await wire.sends("createProducer", 1)
        await wire.cut()
        assert (await client.get("client.answer"))["id"] == "mic"
        assert (await client.call("roomInfo", {}))["counts"]["producers"] == 1
        assert [one["method"] for one in wire.sent].count("createProducer") == 2


async def test_a_request_that_is_never_answered_times_out(browser: Browser) -> None:
    wire = Wire()
    async with running_node(demo=True) as node, blank_page(browser, node, wire) as page:
        client = await Client.join(page, node.url, node.token("anna", room=ROOM))
        wire.silent = True
        error = await client.call("roomInfo", {}, timeout_ms=50)
        assert (error["name"], error["reason"]) == ("PalaverError", "timeout")


async def test_a_session_that_is_over_is_joined_afresh_and_says_so(browser: Browser) -> None:
    wire = Wire()
    async with (
        running_node(demo=True, rooms={"grace_ms": 0, "flap_ms": 0}) as node,
        blank_page(browser, node, wire) as page,
    ):
        other = await Client.join(page, node.url, node.token("ben", room=ROOM))
        client = await Client.make(page, node.url)
        await client.get(
            "{ client.fresh = 0; client.on('snapshot', ({ fresh }) => (client.fresh += fresh)); }"
        )
        await client.run("join", {"room": ROOM, "token": node.token("anna", room=ROOM)})
        peer = await client.get("client.you.peer")
        wire.gate.clear()  # so that it does not resume before the node has noticed the loss
        await wire.cut()
        participants = node.node.plane.sessions.rooms[ROOM].participants
        await eventually(lambda: len(participants) == 1, "the session is over")
        wire.gate.set()
        await client.becomes("reconnecting")
        await client.call("roomInfo", {})
        assert await client.get("client.fresh") == 2
        assert await client.get("client.you.peer") != peer
        await other.call("roomInfo", {})
        assert await other.get("client.peers.size") == 1


async def test_who_comes_back_to_a_snapshot_is_told_what_a_moderator_closed(browser: Browser) -> None:
    wire = Wire()
    async with (
        running_node(demo=True, media={"embedded": False}, limits={"log_events": 1}) as node,
        blank_page(browser, node, wire) as page,
        connect(node.url, node.token("ben", room=ROOM, role="moderator")) as ben,
    ):
        await ben.join(ROOM)
        anna = await Client.make(page, node.url)
        await anna.get(
            "{ client.closed = []; client.on('producerClosed', (one) => client.closed.push(one)); }"
        )
        await anna.run("join", {"room": ROOM, "token": node.token("anna", room=ROOM)})
        for id, kind in (("microphone", "audio"), ("camera", "video")):
            await anna.call("createProducer", {"id": id, "kind": kind, "source": id, "transport": "p2p"})
        wire.gate.clear()
        await wire.cut()
        await ben.call("closeProducer", id="microphone")
        await ben.call("lockRoom", mode="closed")  # what came before it is forgotten
        wire.gate.set()
        await anna.becomes("reconnecting")
        await anna.call("roomInfo", {})
        closed = await anna.get("client.closed")
        assert [(one["id"], one["reason"]) for one in closed] == [("microphone", "missed")]


@asynccontextmanager
async def own_page_server(page: str) -> AsyncIterator[str]:
    """Somebody's own server: copies of the modules, and their page at /."""

    async def index(request: web.Request) -> web.Response:
        return web.Response(text=page, content_type="text/html")

    modules = web.static("/", str(files("palaver.http") / "static"))
    async with on_loopback(web.get("/", index), modules) as server:
        yield f"{server}/"


async def test_a_draining_node_sends_its_pages_to_the_one_it_names(browser: Browser) -> None:
    async with (
        running_node(media={"embedded": False}) as there,
        running_node(demo=True, media={"embedded": False}, gateway={"alternatives": (there.url,)}) as here,
        blank_page(browser, here) as page,
    ):
        anna = await Client.join(page, here.url, here.token("anna", room=ROOM))
        ben = await Client.join(page, here.url, here.token("ben", room=ROOM))
        arrived = (
            """{ client.fresh = new Promise((done) => client.on("snapshot", ({ fresh }) => done(fresh))); }"""
        )
        for each in (anna, ben):
            await each.get(arrived)
        assert await here.node.drain(0.1)
        for each in (anna, ben):
            assert await each.get("client.fresh") is True
            assert await each.get("client.url") == there.url
        assert (await anna.call("roomInfo", {}))["counts"]["peers"] == 2
        assert there.node.plane.messages.errors == {"not_found": 2}


async def test_a_page_comes_back_where_the_named_node_does_not_answer(browser: Browser) -> None:
    nowhere = "ws://127.0.0.1:9/v1"
    async with (
        running_node(demo=True, media={"embedded": False}, gateway={"alternatives": (nowhere,)}) as node,
        blank_page(browser, node) as page,
    ):
        client = await Client.join(page, node.url, node.token("anna", room=ROOM))
        peer = await client.get("client.you.peer")
        await client.get(
            "{ client.tried = []; client.on('state', ({ url }) => url && client.tried.push(url)); }"
        )
        await client.get(
            "{ client.back = new Promise((done) => client.on('state', ({ resumed }) => resumed && done())); }"
        )
        await node.node.drain(0.0)
        node.node.undrain()
        await client.get("client.back")
        assert (await client.get("client.tried"))[:2] == [nowhere, node.url]
        assert (await client.get("client.you.peer"), await client.get("client.url")) == (peer, node.url)


async def test_the_example_of_the_docs_works_as_printed(browser: Browser) -> None:
    docs = Path(__file__).parents[2] / "docs" / "browser-client.md"
    example = docs.read_text().split("```html\n")[1].split("```")[0]
    async with running_node(demo=True) as node:
        token = node.token("anna", room=ROOM)
        example = example.replace("ws://127.0.0.1:7880/v1", node.url).replace(
            'token: "…"', f'token: "{token}"'
        )
        ben_link = join_link(node.http, node.token("ben", room=ROOM), ROOM)
        async with (
            own_page_server(f"<!doctype html><title>Example</title><body>{example}") as url,
            blank_page(browser, node) as page,
            participant(browser, ben_link, "ben") as ben,
        ):
            await page.goto(url)
            await ben.is_in(2)
            await ben.sees("anna")
            await expect(page.locator("video")).to_have_count(1)
            await page.evaluate(
                "new Promise((done) => document.querySelector('video').requestVideoFrameCallback(() => done()))"
            )
