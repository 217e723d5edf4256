"""A node that drains: what it says to load balancers, to newcomers, and to those who are there; and that it can be undone."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.error import HTTPError

from harness.node import RunningNode, running_node
from unit.gateway.raw_websocket import TEXT, RawWebSocket, ask, close_frame, frame, on_uvloop, request

LONG = 3600.0
ELSEWHERE = "wss://b.example/v1"


class Guest:
    """A client that speaks JSON."""

    def __init__(self, node: RunningNode, socket: RawWebSocket) -> None:
        self.node = node
        self.socket = socket

    async def ask(self, method: str, **params: Any) -> Any:
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        self.socket.send(frame(TEXT, json.dumps(message).encode()))
        while True:
            reply = json.loads(await self.socket.message())
            if "id" in reply:
                return reply

    async def join(self, identity: str) -> Any:
        return await self.ask("join", room="room", token=self.node.token(identity))

    async def goodbye(self) -> tuple[int, str]:
        code = await self.socket.close_code()
        self.socket.send(close_frame(code))
        return code, self.socket.reason


@asynccontextmanager
async def guests(node: RunningNode, *identities: str) -> AsyncIterator[list[Guest]]:
    """Clients that have joined; an empty identity stands for one that has only connected."""
    async with AsyncExitStack() as stack:
        here = []
        for identity in identities:
            guest = Guest(node, await stack.enter_async_context(RawWebSocket.open(node.node.gateway)))
            if identity:
                assert "result" in await guest.join(identity)
            here.append(guest)
        yield here


async def readiness(node: RunningNode) -> tuple[int, str]:
    def look() -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"{node.http}/readyz") as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()

    return await asyncio.to_thread(look)


def start(node: RunningNode, seconds: float | None = None) -> asyncio.Task[bool]:
    return asyncio.create_task(node.node.drain(seconds))


@on_uvloop
async def test_readiness_turns_and_newcomers_are_answered_503_with_retry_after() -> None:
    async with running_node(media={"embedded": False}) as node, guests(node, "alice", "bob") as here:
        assert await readiness(node) == (200, "ok\n")
        start(node, LONG)
        assert await here[0].goodbye() == (4001, "the node shuts down")
        assert await readiness(node) == (503, "the node is draining\n")
        answer = await ask(node.node.gateway, request())
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")


@on_uvloop
async def test_clients_are_told_where_to_go() -> None:
    async with running_node(gateway={"alternatives": (ELSEWHERE,)}) as node, guests(node, "alice") as here:
        draining = start(node)
        assert await here[0].goodbye() == (4001, f"go to {ELSEWHERE}")
        assert await draining is True


@on_uvloop
async def test_clients_are_sent_away_in_turn_until_the_deadline() -> None:
    async with running_node() as node, guests(node, "a", "b", "c") as here:
        draining = start(node, 0.3)
        codes = await asyncio.gather(*(guest.goodbye() for guest in here))
        assert {code for code, _ in codes} == {4001}
        assert await draining is True


@on_uvloop
async def test_undrain_keeps_those_who_were_not_sent_away_yet() -> None:
    async with running_node() as node, guests(node, "a", "b", "c") as here:
        draining = start(node, LONG)
        assert await here[0].goodbye() == (4001, "the node shuts down")
        node.node.undrain()
        assert await draining is False
        assert await readiness(node) == (200, "ok\n")
        for guest in here[1:]:
            assert "result" in await guest.ask("heartbeat", t=1)
        async with guests(node, "d"):
            pass  # who comes now is let in


@on_uvloop
async def test_a_new_session_is_refused_with_retry_elsewhere_and_a_seat_is_kept() -> None:
    async with running_node() as node, guests(node, "first", "alice", "") as (first, alice, newcomer):
        start(node, LONG)
        await first.goodbye()
        error = (await newcomer.join("bob"))["error"]
        assert (error["data"]["reason"], error["data"]["retry"]) == ("node_draining", "elsewhere")
        assert "result" in await alice.join("alice")
        node.node.undrain()
        assert "result" in await newcomer.join("bob")


@on_uvloop
async def test_draining_again_begins_anew_with_the_new_deadline() -> None:
    async with running_node() as node, guests(node, "a", "b") as here:
        slow = start(node, LONG)
        await here[0].goodbye()
        fast = start(node, 0.0)
        assert await here[1].goodbye() == (4001, "the node shuts down")
        assert (await slow, await fast) == (False, True)
