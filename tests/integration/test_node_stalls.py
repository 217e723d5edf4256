"""A node that is held up: by its media node, by its machine, by everybody coming back at once."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from harness.guest import guest
from harness.media import LOOPBACK
from harness.node import running_node
from harness.process import serving_process
from harness.settings import KEY_ID, SECRET
from palaver.client import connect
from palaver.media import AiortcMediaNode
from palaver.rtc import peer_connection
from palaver.signaling.admission import SHEDDING
from palaver.signaling.ports import Answer
from palaver.signaling.tokens import mint
from unit.gateway.raw_websocket import TEXT, frame, request

STALL_SECONDS = 2.0
STORM = 2_000
"""The ten thousand of the design, as far as two cores and one test go."""


def token(identity: str, room: str | None = None) -> str:
    return mint(KEY_ID, SECRET, identity=identity, room=room, now=time.time())


async def offer() -> str:
    """What a client that sends one picture offers."""
    connection = peer_connection([], LOOPBACK)
    connection.addTransceiver("video", direction="sendonly")
    description = await connection.createOffer()
    await connection.close()
    return str(description.sdp)


async def test_a_media_node_that_hangs_costs_its_request_a_timeout_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sdp = await offer()
    real, given_up = AiortcMediaNode.accept_offer, asyncio.Event()

    async def hang(self: AiortcMediaNode, *arguments: Any) -> Answer:
        try:
            await asyncio.Event().wait()
        finally:
            given_up.set()
        raise AssertionError

    async with (
        running_node(media={"answer_seconds": 2.0}) as node,
        guest(node, "bob") as bob,
        connect(node.url, node.token("alice")) as alice,
    ):
        await alice.join("room")
        monkeypatch.setattr(AiortcMediaNode, "accept_offer", hang)
        params = {"transport": "t", "direction": "send", "sdp": sdp, "generation": 1}
        waiting = asyncio.create_task(alice.call("sdpOffer", **params))
        assert (await alice.call("heartbeat", t=1))["t"] == 1
        await bob.call("roomInfo")
        assert not waiting.done()
        with pytest.raises(Exception, match="timeout"):
            await waiting
        assert given_up.is_set(), "nothing works on it any more"
        monkeypatch.setattr(AiortcMediaNode, "accept_offer", real)
        assert "sdp" in await alice.call("sdpOffer", **params), "the same offer may be made again"


async def test_a_join_whose_media_node_hangs_takes_no_seat(monkeypatch: pytest.MonkeyPatch) -> None:
    sdp = await offer()

    async def hang(self: AiortcMediaNode, *arguments: Any) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(AiortcMediaNode, "accept_offer", hang)
    async with (
        running_node(media={"answer_seconds": 0.1}) as node,
        aiohttp.ClientSession() as http,
        http.ws_connect(node.url, protocols=["palaver.v1"]) as socket,
    ):
        params = {"room": "room", "token": node.token("alice"), "offer": {"transport": "t", "sdp": sdp}}
        await socket.send_json({"jsonrpc": "2.0", "id": 1, "method": "join", "params": params})
        assert (await socket.receive_json())["error"]["data"]["reason"] == "timeout"
        assert not node.node.plane.sessions.rooms
        del params["offer"]
        await socket.send_json({"jsonrpc": "2.0", "id": 2, "method": "join", "params": params})
        assert "result" in await socket.receive_json()


class Listener:
    """A client that reads all the time, and so answers every ping."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.events: list[str] = []
        self._replies: asyncio.Queue[Any] = asyncio.Queue()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for message in self.socket:
            decoded = message.json()
            if "method" in decoded:
                self.events.append(decoded["method"])
            else:
                self._replies.put_nowait(decoded)

    async def ask(self, method: str, **params: Any) -> None:
        await self.socket.send_json({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})

    async def result(self) -> Any:
        async with asyncio.timeout(20):
            return (await self._replies.get())["result"]

    async def close(self) -> None:
        await self.socket.close()
        await self._reading


async def test_a_loop_that_stands_still_for_two_seconds_loses_nobody(tmp_path: Path) -> None:
    """Longer than 2.5 pings and than the flap: but it was the node that heard nothing, not they who were silent."""
    settings = "[gateway]\nping_ms = 400\n[rooms]\nflap_ms = 300\ngrace_ms = 1000\n"
    with serving_process(tmp_path, settings) as node:
        async with aiohttp.ClientSession() as http:
            guests = [Listener(await http.ws_connect(node.url, protocols=["palaver.v1"])) for _ in range(3)]
            for number, one in enumerate(guests):
                await one.ask("join", room="room", token=token(f"guest-{number}"))
                await one.result()
            os.kill(node.process.pid, signal.SIGSTOP)
            for one in guests:  # they speak meanwhile; the kernel keeps it for the node
                await one.ask("heartbeat", t=1)
            stopped = asyncio.Event()
            asyncio.get_running_loop().call_later(STALL_SECONDS, stopped.set)
            await stopped.wait()  # the stall itself
            os.kill(node.process.pid, signal.SIGCONT)
            for one in guests:
                assert (await one.result())["t"] == 1
            for one in guests:  # and after whatever the node has made of its pause
                await one.ask("roomInfo")
                assert (await one.result())["counts"]["peers"] == 3
            assert {event for one in guests for event in one.events} == {"peerJoined"}, (
                "nobody was shown as gone"
            )
            for one in guests:
                await one.close()


async def test_everybody_comes_back_at_once_after_a_restart(tmp_path: Path) -> None:
    """Each connects, joins, and is answered: nobody is refused, nobody waits in vain, no error is logged."""
    # One process plays all the clients, from one address: it may be slower than each of them would be.
    gateway = f"[gateway]\nmax_half_open_per_address = {STORM}\nhandshake_seconds = 60\n"
    settings = f"[limits]\naddress_factor = {STORM}\n{gateway}"
    with serving_process(tmp_path, settings) as node:
        port = node.url.split("/")[2].rsplit(":", 1)[1]
        assert sum(await storm(int(port), 20)) == 20
        os.kill(node.process.pid, signal.SIGKILL)
        node.ended()
    with serving_process(tmp_path, settings, "--port", port) as node:
        joined = await storm(int(port), STORM)
        assert sum(joined) == STORM
        # A storm makes the loop late, and the node may say that it sheds statistics: no signaling was shed.
        told = {each["event"] for each in node.logs if each["level"] not in ("debug", "info")}
        assert told <= set(SHEDDING)


async def storm(port: int, count: int) -> list[bool]:
    """So many clients, all at once, five to a room; whether each took its seat."""
    async with asyncio.timeout(90):
        return await asyncio.gather(*(come_back(port, number) for number in range(count)))


async def come_back(port: int, number: int) -> bool:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    try:
        params = {"room": f"room-{number // 5}", "token": token(f"guest-{number}")}
        join = {"jsonrpc": "2.0", "id": 1, "method": "join", "params": params}
        writer.write(request())
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 101 "), answer
        writer.write(frame(TEXT, json.dumps(join).encode()))
        head = await reader.readexactly(2)
        size = int.from_bytes(await reader.readexactly(2), "big") if head[1] == 126 else head[1]
        return "result" in json.loads(await reader.readexactly(size))
    finally:
        writer.close()
