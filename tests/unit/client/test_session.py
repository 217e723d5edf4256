from __future__ import annotations

import asyncio
import contextlib

import pytest
from picows import WSMsgType

from harness.media import eventually
from palaver.client import Client, ConnectionLost, Event, RequestRefused, RequestTimeout, SessionLost

from .conftest import Refusal, ScriptedNode


async def events(client: Client, count: int) -> list[Event]:
    async with asyncio.timeout(10):
        return [await anext(client.events()) for _ in range(count)]


def names(seen: list[Event]) -> list[str]:
    return [event.name for event in seen]


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
async def test_join_gives_the_room_and_events_keep_it_up_to_date(node: ScriptedNode, encoding: str) -> None:
    async with node.client(encoding=encoding) as client:
        room = await client.join("r", name="Alice")
        socket = await node.socket(0)
        assert socket.binary is (encoding == "msgpack")
        assert socket.params("join") == {"room": "r", "name": "Alice", "token": "token"}
        assert set(room.peers) == {"bob"}
        assert room.producers["cam"].source == "camera"
        socket.event("peerJoined", 11, peer="carol", identity="c", role="observer")
        socket.event("producerPaused", 13, prev=11, id="cam", peer="bob")
        socket.event("peerSuspended", 14, prev=13, peer="bob")
        assert names(await events(client, 3)) == ["peerJoined", "producerPaused", "peerSuspended"]
        assert room.peers["carol"].role == "observer"
        assert room.producers["cam"].paused
        assert room.peers["bob"].suspended
        socket.event("peerLeft", 15, prev=14, peer="bob", reason="left")
        (left,) = await events(client, 1)
        assert (left["peer"], left["reason"], left.seq) == ("bob", "left", 15)
        assert not room.producers
        assert set(room.peers) == {"carol"}


async def test_an_event_in_the_same_batch_as_the_join_reply_is_no_gap(node: ScriptedNode) -> None:
    def join(params: dict[str, object]) -> None:
        head = {"epoch": 1, "seq": 11, "prev": 10}
        event = {"jsonrpc": "2.0", "method": "peerLeft", "params": {**head, "peer": "bob"}}
        node.sockets[0].send([{"jsonrpc": "2.0", "id": 1, "result": node.join()}, event])

    node.answers["join"] = join
    async with node.client() as client:
        room = await client.join("r")
        assert not room.peers
        assert client.state == "joined"


async def test_leave_says_goodbye_and_ends_the_events(node: ScriptedNode) -> None:
    async with node.client() as client:
        await client.join("r")
    assert node.sockets[0].methods() == ["join", "leave"]
    await node.sockets[0].disconnected.wait()
    assert node.sockets[0].close_code == 1000
    assert [event async for event in client.events()] == []
    with pytest.raises(ConnectionLost):
        await client.call("echo")


async def test_a_refused_request_raises_with_its_reason(node: ScriptedNode) -> None:
    def refuse(params: dict[str, object]) -> None:
        raise Refusal("forbidden", need="roomAdmin")

    node.answers["kickUser"] = refuse
    async with node.client() as client:
        await client.join("r")
        with pytest.raises(RequestRefused) as caught:
            await client.call("kickUser", peer="bob")
        refused = caught.value
        assert (refused.method, refused.code, refused.reason) == ("kickUser", -32001, "forbidden")
        assert (refused.retry, refused.data["need"]) == ("never", "roomAdmin")
        assert "kickUser" in str(refused)
        assert await client.call("echo", x=1, left_out=None) == {"x": 1}


async def test_a_refused_join_raises_and_the_client_can_try_again(node: ScriptedNode) -> None:
    def refuse(params: dict[str, object]) -> None:
        raise Refusal("room_locked")

    good, node.answers["join"] = node.answers["join"], refuse
    async with node.client() as client:
        with pytest.raises(RequestRefused):
            await client.join("r")
        node.answers["join"] = good
        await client.join("r")


async def test_a_request_that_came_too_early_is_sent_again_when_the_node_says(node: ScriptedNode) -> None:
    asked: list[float] = []

    def answer(params: dict[str, object]) -> dict[str, object]:
        asked.append(asyncio.get_running_loop().time())
        if len(asked) == 1:
            raise Refusal("rate_limited", "same", afterMs=40)
        return {"peers": []}

    node.answers["roomInfo"] = answer
    async with node.client() as client:
        assert await client.call("roomInfo") == {"peers": []}
    assert asked[1] - asked[0] >= 0.04


async def test_a_wait_beyond_the_time_of_the_request_is_a_refusal_at_once(node: ScriptedNode) -> None:
    def refuse(params: dict[str, object]) -> dict[str, object]:
        raise Refusal("rate_limited", "same", afterMs=3_600_000)

    node.answers["roomInfo"] = refuse
    async with node.client() as client:
        with pytest.raises(RequestRefused, match="rate_limited") as refused:
            await client.call("roomInfo")
    assert refused.value.wait == 3600


async def test_an_answer_that_does_not_come_is_a_timeout(node: ScriptedNode) -> None:
    node.answers["slow"] = lambda params: None
    async with node.client() as client:
        await client.join("r")
        with pytest.raises(RequestTimeout):
            await client.call("slow", seconds=0.01)
        node.sockets[0].send({"jsonrpc": "2.0", "id": 2, "result": {}})
        node.sockets[0].send({"jsonrpc": "2.0", "id": 77, "result": {}})
        assert await client.call("echo", x=1) == {"x": 1}


async def test_a_gap_in_the_events_ends_in_a_resume_that_fills_it(node: ScriptedNode) -> None:
    async with node.client() as client:
        room = await client.join("r")
        first = await node.socket(0)
        first.event("peerJoined", 11, peer="carol", identity="c")
        missed = [
            {
                "method": "peerJoined",
                "params": {"epoch": 1, "seq": 12, "prev": 11, "peer": "d", "identity": "d"},
            },
            {"method": "peerLeft", "params": {"epoch": 1, "seq": 13, "prev": 12, "peer": "carol"}},
        ]
        node.join_reply = {"resumed": True, "missed": missed, "seq": 13}
        first.event("peerLeft", 13, prev=12, peer="carol")
        second = await node.socket(1)
        assert second.params("join")["resume"] == {"ticket": "t1", "lastSeq": 11}
        seen = await events(client, 5)
        assert names(seen) == ["peerJoined", "reconnecting", "peerJoined", "peerLeft", "resumed"]
        assert first.close_code == 4010
        assert set(room.peers) == {"bob", "d"}
        second.event("peerLeft", 14, peer="d")
        await events(client, 1)
        assert set(room.peers) == {"bob"}


async def test_another_epoch_is_a_gap(node: ScriptedNode) -> None:
    async with node.client() as client:
        await client.join("r")
        node.epoch = 2
        node.sockets[0].event("peerLeft", 11, peer="bob")
        await node.socket(1)
        await eventually(lambda: client.state == "joined", "the client is back")
        assert client.room.epoch == 2


async def test_a_snapshot_is_told_as_the_events_that_lead_to_it(node: ScriptedNode) -> None:
    async with node.client() as client:
        room = await client.join("r")
        node.join_reply = {
            "resumed": True,
            "missed": "snapshot",
            "peers": [{"peer": "carol", "identity": "c", "role": "participant", "suspended": True}],
            "producers": [
                {"id": "mic", "peer": "carol", "kind": "audio", "source": "microphone", "paused": True}
            ],
        }
        node.sockets[0].cut()
        seen = await events(client, 7)
        assert names(seen) == [
            "reconnecting",
            "producerClosed",
            "peerLeft",
            "peerJoined",
            "peerSuspended",
            "producerAdded",
            "resumed",
        ]
        assert (seen[3]["peer"], seen[5]["id"], seen[5]["paused"]) == ("carol", "mic", True)
        assert set(room.peers) == {"carol"}


async def test_a_producer_of_yours_that_a_snapshot_lacks_was_closed(node: ScriptedNode) -> None:
    node.answers["createProducer"] = lambda params: {"id": params["id"]}
    node.answers["closeProducer"] = lambda params: {"changed": True}
    async with node.client() as client:
        room = await client.join("r")
        for id in ("mic", "camera", "screen"):
            await client.call("createProducer", id=id)
        await client.call("closeProducer", id="screen")
        you = {"peer": room.you.id, "identity": "alice", "role": "owner", "producers": [{"id": "camera"}]}
        node.join_reply = {"resumed": True, "missed": "snapshot", "you": you}
        node.sockets[0].cut()
        seen = await events(client, 3)
        assert names(seen) == ["reconnecting", "producerClosed", "resumed"]
        assert (seen[1]["id"], seen[1]["peer"]) == ("mic", room.you.id)
        assert room.own == {"camera"}


async def test_a_request_under_way_is_sent_again_after_a_resume(node: ScriptedNode) -> None:
    node.answers["createProducer"] = lambda params: None if len(node.sockets) == 1 else {"id": params["id"]}
    async with node.client() as client:
        await client.join("r")
        request = asyncio.create_task(client.call("createProducer", id="mine"))
        first = await node.socket(0)
        await eventually(lambda: "createProducer" in first.methods(), "the request is sent")
        node.join_reply = {"resumed": True, "missed": []}
        first.cut()
        assert await request == {"id": "mine"}
        assert node.sockets[1].methods() == ["join", "createProducer"]


async def test_a_request_made_while_reconnecting_waits_for_the_resume(node: ScriptedNode) -> None:
    async with node.client() as client:
        await client.join("r")
        node.join_reply = {"resumed": True, "missed": []}
        made: list[asyncio.Task[object]] = []
        client.on("reconnecting", lambda event: made.append(asyncio.create_task(client.call("echo", x=2))))
        node.sockets[0].cut()
        await eventually(lambda: bool(made), "the loss is noticed")
        assert await made[0] == {"x": 2}
        assert client.state == "joined"
        assert node.sockets[1].methods() == ["join", "echo"]


async def test_a_session_that_is_gone_is_joined_afresh(node: ScriptedNode) -> None:
    def join(params: dict[str, object]) -> dict[str, object]:
        if "resume" in params:
            raise Refusal("not_found")
        return node.join(peers=[], producers=[])

    node.answers["slow"] = lambda params: None
    async with node.client() as client:
        await client.join("r")
        request = asyncio.create_task(client.call("slow"))
        await eventually(lambda: "slow" in node.sockets[0].methods(), "the request is sent")
        node.answers["join"] = join
        node.sockets[0].cut()
        with pytest.raises(SessionLost):
            await request
        assert names(await events(client, 4)) == ["reconnecting", "producerClosed", "peerLeft", "rejoined"]
        assert node.sockets[1].methods() == ["join", "join"]


async def test_attempts_go_on_until_one_succeeds_with_a_new_token_each(node: ScriptedNode) -> None:
    tokens = iter("abcdef")

    async def token() -> str:
        return next(tokens)

    def join(params: dict[str, object]) -> dict[str, object] | None:
        if len(node.sockets) == 2:
            raise Refusal("unavailable", "reconnect", afterMs=1)
        if len(node.sockets) == 3:
            node.sockets[2].cut()
            return None
        return node.join()

    client = Client(node.url, token, chance=node.client()._session._chance)
    async with client:
        await client.join("r")
        node.answers["join"] = join
        node.sockets[0].close(4001, "restarting")
        seen = await events(client, 4)
        assert names(seen) == ["reconnecting"] * 3 + ["rejoined"]
        assert [event["attempt"] for event in seen[:3]] == [1, 2, 3]
        assert "restarting" in seen[0]["reason"]
        assert [s.params("join")["token"] for s in node.sockets] == ["a", "b", "c", "d"]


@pytest.mark.parametrize(("code", "reason"), [(4502, "kicked by mod"), (4504, ""), (1000, ""), (1009, "")])
async def test_a_final_close_ends_the_session(node: ScriptedNode, code: int, reason: str) -> None:
    async with node.client() as client:
        await client.join("r")
        node.answers["slow"] = lambda params: None
        request = asyncio.create_task(client.call("slow"))
        await eventually(lambda: "slow" in node.sockets[0].methods(), "the request is sent")
        node.sockets[0].close(code, reason)
        with pytest.raises(ConnectionLost) as caught:
            await events(client, 1)
        assert (caught.value.code, caught.value.reconnect) == (code, False)
        assert reason in str(caught.value)
        with pytest.raises(ConnectionLost):
            await request
        assert client.state == "closed"
    assert len(node.sockets) == 1


async def test_a_client_told_not_to_reconnect_does_not(node: ScriptedNode) -> None:
    async with node.client(reconnect=False) as client:
        await client.join("r")
        node.sockets[0].cut()
        with pytest.raises(ConnectionLost) as caught:
            await events(client, 1)
        assert caught.value.reconnect
    assert len(node.sockets) == 1


async def test_a_refused_return_ends_the_session_with_the_refusal(node: ScriptedNode) -> None:
    def refuse(params: dict[str, object]) -> None:
        raise Refusal("banned")

    async with node.client() as client:
        await client.join("r")
        node.answers["join"] = refuse
        node.sockets[0].cut()
        await events(client, 1)
        with pytest.raises(RequestRefused):
            await events(client, 1)


async def test_a_silent_node_is_given_up(node: ScriptedNode) -> None:
    node.join_reply = {"session": {"id": "s", "ticket": "t", "pingMs": 20, "graceMs": 10_000}}
    async with node.client() as client:
        await client.join("r")
        node.answers["heartbeat"] = lambda params: None
        await node.socket(1)
        await eventually(lambda: node.sockets[0].close_code == 4003, "the socket is closed with the reason")


async def test_heartbeats_say_what_was_seen_and_measure_the_way(node: ScriptedNode) -> None:
    node.join_reply = {"session": {"id": "s", "ticket": "t", "pingMs": 50, "graceMs": 10_000}}
    async with node.client() as client:
        await client.join("r")
        node.sockets[0].event("peerLeft", 11, peer="bob")
        await eventually(lambda: client.rtt_seconds is not None, "the first answer")
        seen = node.sockets[0].seen
        await eventually(
            lambda: any(p.get("seqSeen") == 11 and "rttMs" in p for _, p in seen), "the next beat"
        )


@pytest.mark.parametrize(
    "junk",
    [
        b"hello",
        b"[1]",
        b'{"method": 7}',
        b'{"method": "peerLeft", "params": {"peer": []}}',
        b"\xff",
        b"[" * 5000,
    ],
)
async def test_what_is_no_message_ends_the_session(node: ScriptedNode, junk: bytes) -> None:
    async with node.client() as client:
        await client.join("r")
        node.sockets[0].raw(junk)
        with pytest.raises(ConnectionLost) as caught:
            await events(client, 1)
        assert caught.value.code == 1002


async def test_a_join_reply_that_breaks_the_protocol_does_not_hang(node: ScriptedNode) -> None:
    node.answers["join"] = lambda params: {"session": {}}
    async with node.client() as client:
        with pytest.raises(Exception, match="breaks the protocol"):
            await client.join("r")


async def test_fragments_make_one_message(node: ScriptedNode) -> None:
    async with node.client() as client:
        await client.join("r")
        socket = node.sockets[0]
        message = b'{"method":"peerLeft","params":{"epoch":1,"seq":11,"prev":10,"peer":"bob"}}'
        socket.raw(message[:20], WSMsgType.TEXT, fin=False)
        socket.transport.send_ping(b"between")
        socket.raw(message[20:40], WSMsgType.CONTINUATION, fin=False)
        socket.raw(message[40:], WSMsgType.CONTINUATION)
        assert names(await events(client, 1)) == ["peerLeft"]


@pytest.mark.parametrize("frames", [[(WSMsgType.CONTINUATION, True)], [(WSMsgType.TEXT, False)] * 2])
async def test_fragments_out_of_order_are_refused(
    node: ScriptedNode, frames: list[tuple[WSMsgType, bool]]
) -> None:
    async with node.client() as client:
        await client.join("r")
        for kind, fin in frames:
            node.sockets[0].raw(b"{}", kind, fin=fin)
        await eventually(lambda: node.sockets[0].close_code == 1002, "the client closes")


async def test_reserved_bits_are_refused(node: ScriptedNode) -> None:
    async with node.client() as client:
        await client.join("r")
        node.sockets[0].raw(b"{}", rsv1=True)
        await eventually(lambda: node.sockets[0].disconnected.is_set(), "the client closes")


async def test_a_listener_hears_at_once_and_can_be_ended_and_may_fail(node: ScriptedNode) -> None:
    async with node.client() as client:
        await client.join("r")
        heard: list[str] = []

        def bad(event: Event) -> None:
            raise ZeroDivisionError

        client.on("peerLeft", bad)
        end = client.on("peerLeft", lambda event: heard.append(event["peer"]))
        node.sockets[0].event("peerLeft", 11, peer="bob")
        await events(client, 1)
        end()
        node.sockets[0].event("peerLeft", 12, peer="carol")
        await events(client, 1)
        assert heard == ["bob"]


@pytest.mark.parametrize("path", ["/nothing-here", ":1"])
async def test_what_cannot_be_reached_is_one_sentence(node: ScriptedNode, path: str) -> None:
    url = node.url.removesuffix("/v1") + path if path != ":1" else "ws://127.0.0.1:1/v1"
    with pytest.raises(ConnectionLost) as caught:
        await Client(url, "token")
    assert caught.value.code == 1006
    assert url in str(caught.value)
    assert caught.value.reconnect


async def test_leaving_while_reconnecting_ends_it(node: ScriptedNode) -> None:
    async with node.client() as client:
        await client.join("r")
        node.answers["join"] = lambda params: None
        node.sockets[0].cut()
        await eventually(lambda: client.state == "reconnecting", "the loss is noticed")
    assert client.state == "closed"
    with contextlib.suppress(StopAsyncIteration):
        assert (await anext(client.events())).name == "reconnecting"
