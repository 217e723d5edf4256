"""A client written from docs/protocol.md alone, with nothing of ours but the token: it joins, relays, breaks and resumes."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec
import pytest

from harness.node import RunningNode, running_node

SDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"


class Client:
    """A WebSocket, a counter of requests, and what came meanwhile."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, binary: bool = False) -> None:
        self.socket = socket
        self.events: list[dict[str, Any]] = []
        self._binary = binary
        self._requests = 0

    async def call(self, method: str, **params: Any) -> Any:
        """The result, or the error with a key `reason` for brevity."""
        self._requests += 1
        request = {"jsonrpc": "2.0", "id": self._requests, "method": method, "params": params}
        if self._binary:
            await self.socket.send_bytes(msgspec.msgpack.encode(request))
        else:
            await self.socket.send_str(json.dumps(request))
        while True:
            message = await self.receive()
            if message.get("id") == self._requests:
                return message["result"] if "result" in message else message["error"]["data"]
            self.events.append(message)

    async def event(self, method: str) -> dict[str, Any]:
        """The next event of that name."""
        while True:
            for at, message in enumerate(self.events):
                if message["method"] == method:
                    params: dict[str, Any] = self.events.pop(at)["params"]
                    return params
            self.events.append(await self.receive())

    async def receive(self) -> dict[str, Any]:
        message = await self.socket.receive(timeout=10)
        assert message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY), message
        decode = msgspec.msgpack.decode if self._binary else json.loads
        decoded: dict[str, Any] = decode(message.data)
        return decoded

    async def closed(self) -> int | None:
        """Reads to the end and returns the close code."""
        while not self.socket.closed:
            await self.socket.receive(timeout=10)
        return self.socket.close_code


@contextlib.asynccontextmanager
async def clients(node: RunningNode, *identities: str) -> AsyncIterator[list[Client]]:
    """Connected clients; the second speaks MessagePack."""
    async with aiohttp.ClientSession() as http, contextlib.AsyncExitStack() as stack:
        found = []
        for number, _ in enumerate(identities):
            socket = await stack.enter_async_context(http.ws_connect(node.url, protocols=["palaver.v1"]))
            assert socket.protocol == "palaver.v1"
            found.append(Client(socket, binary=number == 1))
        yield found


async def test_two_clients_join_and_relay_an_offer_an_answer_and_candidates() -> None:
    async with running_node() as node, clients(node, "alice", "bob") as (alice, bob):
        assert (await alice.call("auth", token=node.token("alice")))["identity"] == "alice"
        first = await alice.call("join", room="r")
        second = await bob.call("join", room="r", token=node.token("bob"))
        assert [each["identity"] for each in second["peers"]] == ["alice"]
        joined = await alice.event("peerJoined")
        assert joined["prev"] == first["seq"]
        me, you = first["you"]["peer"], second["you"]["peer"]
        offer = {"transport": "p", "direction": "p2p", "to": you, "sdp": SDP, "generation": 1}
        assert await alice.call("sdpOffer", **offer) == {"delivered": True}
        assert (await bob.event("transportOffer"))["sdp"] == SDP
        assert await bob.call("sdpAnswer", transport="p", to=me, sdp=SDP, generation=1) == {}
        assert (await alice.event("transportAnswer"))["from"] == you
        candidates = [{"candidate": "candidate:1 1 udp 1 127.0.0.1 9 typ host", "sdpMid": "0"}]
        ice = {"transport": "p", "to": me, "generation": 1, "candidates": candidates, "end": True}
        assert await bob.call("iceCandidate", **ice) == {}
        told = await alice.event("transportIce")
        assert (told["candidates"], told["end"]) == (candidates, True)


async def test_a_room_opened_again_has_a_higher_epoch_also_after_a_restart() -> None:
    epochs = []
    for _ in range(2):
        async with running_node() as node:
            for _ in range(2):
                async with clients(node, "alice") as (alice,):
                    joined = await alice.call("join", room="r", token=node.token("alice"))
                    epochs.append(joined["room"]["epoch"])
                    await alice.call("leave")
                    await alice.closed()
    assert epochs == sorted(set(epochs))
    assert epochs[-1] < 2**53


async def test_a_broken_socket_is_resumed_without_a_lost_event() -> None:
    async with running_node() as node, clients(node, "alice", "bob") as (alice, bob):
        await alice.call("join", room="r", token=node.token("alice"))
        before = await bob.call("join", room="r", token=node.token("bob"))
        bob.socket._writer.transport.abort()  # type: ignore[union-attr]  # as a network would, without a CLOSE
        producer = {"transport": "t", "kind": "audio", "source": "microphone"}
        await alice.call("createProducer", id="mic", **producer)
        async with aiohttp.ClientSession() as http, http.ws_connect(node.url) as socket:
            again = Client(socket)
            resume = {"ticket": before["session"]["ticket"], "lastSeq": before["seq"]}
            reply = await again.call("join", room="r", token=node.token("bob"), resume=resume)
            assert reply["resumed"] is True
            assert [each["method"] for each in reply["missed"]] == ["producerAdded"]
            await alice.call("closeProducer", id="mic")
            assert (await again.event("producerClosed"))["prev"] == reply["seq"]
            assert [each["method"] for each in alice.events] == ["peerJoined"]


async def test_the_encoding_is_fixed_by_the_first_frame() -> None:
    async with running_node() as node, clients(node, "alice") as (alice,):
        await alice.call("auth", token=node.token("alice"))
        await alice.socket.send_bytes(
            msgspec.msgpack.encode({"jsonrpc": "2.0", "id": 1, "method": "roomInfo"})
        )
        assert await alice.closed() == 1003


async def test_a_large_message_before_the_token_closes_with_1009() -> None:
    async with running_node() as node, clients(node, "alice") as (alice,):
        await alice.socket.send_str(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "x" * 5000}))
        assert await alice.closed() == 1009


async def test_without_a_token_in_time_the_socket_closes() -> None:
    async with running_node(gateway={"handshake_seconds": 0.2}) as node, clients(node, "alice") as (alice,):
        assert await alice.closed() == 4501


async def test_a_client_that_falls_silent_closes_with_4003_and_its_seat_ends() -> None:
    settings = {"gateway": {"ping_ms": 100}, "rooms": {"flap_ms": 0, "grace_ms": 100}}
    async with running_node(**settings) as node, clients(node, "alice", "bob") as (alice, bob):
        await alice.call("join", room="r", token=node.token("alice"))
        gone = await bob.call("join", room="r", token=node.token("bob"))
        bob.socket._autoping = False  # it reads nothing from now on, so it answers no ping
        left = await alice.event("peerLeft")
        assert (left["peer"], left["reason"]) == (gone["you"]["peer"], "timeout")
        assert await bob.closed() == 4003


@pytest.mark.parametrize(("token", "code"), [("good", None), ("bad", 4501)])
async def test_a_token_as_subprotocol(token: str, code: int | None) -> None:
    async with running_node() as node, aiohttp.ClientSession() as http:
        bearer = f"bearer.{node.token('alice') if token == 'good' else 'no.good.token'}"
        async with http.ws_connect(node.url, protocols=["palaver.v1", bearer]) as socket:
            assert socket.protocol == "palaver.v1"
            client = Client(socket)
            if code is None:
                assert (await client.call("join", room="r"))["you"]["identity"] == "alice"
            else:
                assert await client.closed() == code


async def test_a_replaced_a_kicked_and_a_noisy_client_get_their_codes() -> None:
    async with running_node() as node, clients(node, "olivia", "bob", "bob") as (olivia, bob, other):
        await olivia.call("join", room="r", token=node.token("olivia", role="owner"))
        await bob.call("join", room="r", token=node.token("bob"))
        await other.call("join", room="r", token=node.token("bob"))
        assert await bob.closed() == 4504
        assert (await olivia.call("kickUser", identity="bob"))["kicked"] is True
        assert await other.closed() == 4502
        for _ in range(9):
            assert (await olivia.call("nonsense"))["reason"] == "method_not_found"
        await olivia.socket.send_str("{")
        assert await olivia.closed() == 4505
