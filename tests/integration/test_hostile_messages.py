"""Messages that no honest client sends, over real sockets: each is refused by name, and nothing has changed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from harness.node import RunningNode, running_node
from palaver.protocol.types import Role
from unit.gateway.raw_websocket import BINARY, TEXT, RawWebSocket, ask, frame, on_uvloop, request

NO_MEDIA = {"embedded": False}


class Hostile:
    """A client that sends any text, and keeps what comes beside the replies."""

    def __init__(self, socket: RawWebSocket) -> None:
        self.socket = socket
        self.events: list[dict[str, Any]] = []
        self.peer = ""

    async def say(self, text: str | bytes, opcode: int = TEXT) -> dict[str, Any]:
        """Sends a message as it is; the reply to it."""
        self.socket.send(frame(opcode, text.encode() if isinstance(text, str) else text))
        return await self.reply()

    async def reply(self) -> dict[str, Any]:
        while True:
            message: dict[str, Any] = json.loads(await self.socket.message())
            if "method" not in message:
                return message
            self.events.append(message)

    async def ask(self, method: str, **params: Any) -> Any:
        """The result, or the `data` of the error."""
        reply = await self.say(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
        return reply["result"] if "result" in reply else reply["error"]["data"]

    async def join(
        self, node: RunningNode, identity: str, role: Role = "participant", room: str = "room"
    ) -> Any:
        result = await self.ask("join", room=room, token=node.token(identity, role=role))
        self.peer = result["you"]["peer"]
        return result


@contextlib.asynccontextmanager
async def hostile(
    node: RunningNode, identity: str = "", role: Role = "participant"
) -> AsyncIterator[Hostile]:
    async with RawWebSocket.open(node.node.gateway) as socket:
        one = Hostile(socket)
        if identity:
            await one.join(node, identity, role)
        yield one


def seq(node: RunningNode, room: str = "room") -> int:
    """The number of the room's last event: what has changed has risen it."""
    return node.node.plane.sessions.rooms[room].log.seq


@on_uvloop
async def test_of_duplicate_keys_the_last_counts_for_everybody() -> None:
    """So that no check sees another value than the one that is used."""
    async with running_node(media=NO_MEDIA) as node, hostile(node) as client:
        token = json.dumps(node.token("alice", room="mine"))
        join = '{"jsonrpc":"2.0","id":1,"id":2,"method":"leave","method":"join","params":{%s}}'
        refused = await client.say(join % f'"token":{token},"room":"mine","room":"other"')
        assert (refused["id"], refused["error"]["data"]["reason"]) == (2, "forbidden")
        assert not node.node.plane.sessions.rooms
        joined = await client.say(join % f'"token":{token},"room":"other","room":"mine"')
        assert (joined["id"], joined["result"]["room"]["id"]) == (2, "mine")


@on_uvloop
async def test_a_message_before_the_token_is_refused_and_the_connection_stays() -> None:
    async with running_node(media=NO_MEDIA) as node, hostile(node) as client:
        assert (await client.ask("roomInfo"))["reason"] == "unauthenticated"
        assert (await client.ask("kickUser", peer="x"))["reason"] == "unauthenticated"
        assert (await client.join(node, "alice"))["you"]["identity"] == "alice"


@on_uvloop
async def test_a_second_auth_changes_nobody() -> None:
    async with running_node(media=NO_MEDIA) as node, hostile(node) as client:
        assert (await client.ask("auth", token=node.token("alice")))["identity"] == "alice"
        assert (await client.ask("auth", token=node.token("mallory")))["reason"] == "wrong_state"
        assert (await client.ask("join", room="room"))["you"]["identity"] == "alice"
        assert (await client.ask("auth", token=node.token("mallory")))["reason"] == "wrong_state"


@on_uvloop
async def test_ten_thousand_candidates_are_refused_and_nobody_hears_of_them() -> None:
    async with (
        running_node(media=NO_MEDIA) as node,
        hostile(node, "alice") as alice,
        hostile(node, "bob") as bob,
    ):
        before = seq(node)
        params = {"transport": "t", "to": bob.peer, "generation": 1}
        many = await alice.ask("iceCandidate", **params, candidates=[{"candidate": "c"}] * 10_000)
        assert (many["reason"], many["path"]) == ("invalid_params", "$.candidates")
        split = [{"candidate": "candidate:1 1 udp 1 127.0.0.1 9 typ host\r\na=evil"}]
        assert "reason" in await alice.ask("iceCandidate", **params, candidates=split)
        assert seq(node) == before
        await bob.ask("roomInfo")
        assert bob.events == []


@on_uvloop
async def test_a_candidate_or_an_answer_for_what_is_not_there_is_refused() -> None:
    """For a peer that has left with its transports, and for an offer that was never made."""
    async with running_node(media=NO_MEDIA) as node, hostile(node, "alice") as alice:
        async with hostile(node, "bob") as bob:
            gone = bob.peer
            sdp = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
            offer = {"transport": "t", "direction": "p2p", "to": gone, "sdp": sdp, "generation": 1}
            assert await alice.ask("sdpOffer", **offer) == {"delivered": True}
            answer = {"transport": "other", "to": gone, "sdp": sdp, "generation": 1}
            assert (await alice.ask("sdpAnswer", **answer))["reason"] == "wrong_state"
            assert await bob.ask("leave") == {}
        candidates = [{"candidate": "candidate:1 1 udp 1 127.0.0.1 9 typ host"}]
        late = await alice.ask("iceCandidate", transport="t", to=gone, generation=1, candidates=candidates)
        assert late["reason"] == "not_found"
        assert (await alice.ask("sdpOffer", **offer))["reason"] == "not_found"
        assert (await alice.ask("heartbeat", t=1))["t"] == 1


@on_uvloop
async def test_nobody_raises_themselves_or_kicks_the_owner() -> None:
    async with (
        running_node(media=NO_MEDIA) as node,
        hostile(node, "olivia", "owner") as owner,
        hostile(node, "bob") as bob,
        hostile(node, "mo", "moderator") as moderator,
    ):
        before = seq(node)
        for role in ("presenter", "moderator", "owner"):
            assert (await bob.ask("setRole", peer=bob.peer, role=role))["reason"] == "forbidden"
        assert (await moderator.ask("setRole", peer=moderator.peer, role="owner"))["reason"] == "forbidden"
        for ban in ({}, {"ban": {"scope": "room"}}):
            assert (await moderator.ask("kickUser", peer=owner.peer, **ban))["reason"] == "forbidden"
            assert (await moderator.ask("kickUser", identity="olivia", **ban))["reason"] == "forbidden"
            assert (await bob.ask("kickUser", peer=owner.peer, **ban))["reason"] == "forbidden"
        assert seq(node) == before
        assert (await owner.ask("roomInfo"))["counts"]["peers"] == 3


@on_uvloop
async def test_chaos_and_the_path_of_a_ping_need_their_grants() -> None:
    async with running_node(media=NO_MEDIA, chaos=True) as node, hostile(node, "mo", "moderator") as client:
        fault = {"fault": "killSession", "scope": "room", "ttlS": 1}
        assert (await client.ask("chaosInject", **fault))["need"] == "chaos"
        assert (await client.ask("debugPing"))["path"] == []
        assert not any(node.node.plane.sessions.faults.injected.values())


@on_uvloop
async def test_what_looks_like_code_is_text() -> None:
    async with running_node(media=NO_MEDIA) as node, hostile(node) as client:
        html, proto = "<img src=x onerror=alert(1)>", "__proto__"
        params = {"room": "../../etc/passwd", "token": node.token("alice"), "name": html}
        joined = await client.ask("join", **params, attributes={proto: html}, **{proto: {"role": "owner"}})
        assert (joined["room"]["id"], joined["you"]["role"]) == ("../../etc/passwd", "participant")
        (me,) = (await client.ask("roomInfo"))["peers"]
        assert (me["name"], me["attributes"]) == (html, {proto: html})


@pytest.mark.parametrize("depth", [33, 10_000, 100_000])
@on_uvloop
async def test_deep_nesting_is_refused_and_the_connection_stays(depth: int) -> None:
    async with running_node(media=NO_MEDIA) as node, hostile(node, "alice") as client:
        params = '{"t":1,"x":' + "[" * depth + "]" * depth + "}"
        refused = await client.say('{"jsonrpc":"2.0","id":1,"method":"heartbeat","params":' + params + "}")
        assert refused["error"]["code"] in (-32602, -32700)
        assert (await client.ask("heartbeat", t=1))["t"] == 1


@on_uvloop
async def test_bad_utf8_in_messagepack_is_refused_and_the_connection_stays() -> None:
    import msgspec

    async with running_node(media=NO_MEDIA) as node, hostile(node) as client:
        good = msgspec.msgpack.encode({"jsonrpc": "2.0", "id": 1, "method": "roomInfo", "params": {}})
        client.socket.send(frame(BINARY, good.replace(b"roomInfo", b"room\xff\xfefo")))
        assert msgspec.msgpack.decode(await client.socket.message())["error"]["code"] == -32700
        client.socket.send(frame(BINARY, good))
        assert msgspec.msgpack.decode(await client.socket.message())["error"]["code"] == -32001


@on_uvloop
async def test_what_is_refused_writes_no_log(caplog: pytest.LogCaptureFixture) -> None:
    """Who sends rubbish does not write our logs for us."""
    caplog.set_level(logging.INFO)
    rubbish = (
        "{",
        "null",
        '{"jsonrpc":"2.0","id":1,"method":"x"}',
        '{"jsonrpc":"2.0","id":1,"method":"join","params":{}}',
    )
    async with running_node(media=NO_MEDIA) as node:
        caplog.clear()
        for text in rubbish:
            async with hostile(node) as client:
                assert "error" in await client.say(text)
        async with hostile(node) as client:
            client.socket.send(frame(3))
            assert await client.socket.close_code() == 1002
        assert (await ask(node.node.gateway, request("/elsewhere"))).status == 404
        assert [each.message for each in caplog.records] == []


@on_uvloop
async def test_a_flood_of_rooms_with_random_names_ends_at_the_cap_and_leaves_nothing() -> None:
    """A thousand joins as fast as they go, each into a room of its own."""
    limits, flood = {"rooms": 50, "address_factor": 10_000}, 1000
    async with running_node(media=NO_MEDIA, limits=limits, rooms={"grace_ms": 0, "flap_ms": 0}) as node:
        token, outcomes = node.token("mallory"), []
        rooms = node.node.plane.sessions.rooms
        async with hostile(node, "alice") as alice:

            async def join(number: int) -> None:
                async with hostile(node) as one:
                    answer = await one.ask("join", room=f"random-{number}", token=token)
                    outcomes.append(answer.get("reason", "joined"))
                    await everybody.wait()

            everybody = asyncio.Barrier(flood)
            async with asyncio.TaskGroup() as tasks:
                for number in range(flood):
                    tasks.create_task(join(number))
                while len(outcomes) < flood:
                    assert (await alice.ask("heartbeat", t=1))["t"] == 1
                assert len(rooms) == limits["rooms"]
            assert (outcomes.count("joined"), set(outcomes)) == (limits["rooms"] - 1, {"joined", "limit"})
            async with asyncio.timeout(10):
                while len(rooms) > 1:
                    await asyncio.sleep(0)
            assert (await alice.ask("roomInfo"))["counts"]["peers"] == 1


@on_uvloop
async def test_a_token_that_is_revoked_in_mid_call_ends_the_stay_and_opens_no_other() -> None:
    async with (
        running_node(media=NO_MEDIA) as node,
        hostile(node, "mo", "moderator") as moderator,
        hostile(node) as bob,
    ):
        token = node.token("bob")
        joined = await bob.ask("join", room="room", token=token)
        after = time.time() + 1
        kicked = await moderator.ask("kickUser", peer=joined["you"]["peer"], revokeBefore=after)
        assert kicked["kicked"] is True
        assert await bob.socket.close_code() == 4502
        async with hostile(node) as again:
            assert (await again.ask("join", room="room", token=token))["reason"] == "token_revoked"
            resume = {"ticket": joined["session"]["ticket"], "lastSeq": joined["seq"]}
            refused = await again.ask("join", room="room", token=token, resume=resume)
            assert refused["reason"] == "token_revoked"


@on_uvloop
async def test_offers_without_end_do_not_overflow_a_peer_who_reads_slowly() -> None:
    """It has them all to read that were delivered, in order, and keeps its connection."""
    media = {"embedded": False}
    async with (
        running_node(
            media=media, limits={"received_bytes_per_second": 1 << 30, "received_burst_bytes": 1 << 30}
        ) as node,
        hostile(node, "victim") as victim,
        hostile(node, "mallory") as mallory,
    ):
        sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n" + ("a=" + "x" * 998 + "\r\n") * 190
        offer = {"transport": "t", "direction": "p2p", "to": victim.peer, "sdp": sdp}
        delivered, answer = 0, {}
        while "reason" not in answer:
            answer = await mallory.ask("sdpOffer", generation=delivered + 1, **offer)
            delivered += "delivered" in answer
        assert answer["reason"] == "rate_limited"
        assert (await victim.ask("heartbeat", t=7))["t"] == 7
        told = [event["params"] for event in victim.events if event["method"] == "transportOffer"]
        assert [each["generation"] for each in told] == list(range(1, delivered + 1))
        assert "delivered" in await mallory.ask("sdpOffer", generation=delivered + 1, **offer)
