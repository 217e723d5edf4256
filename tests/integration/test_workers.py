"""`palaver serve --workers`: one port, several nodes, every room at one of them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import time
import urllib.error
import urllib.request
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from harness.cluster import ADMIN, until
from harness.media import eventually
from harness.process import NodeProcess, serving_process
from harness.settings import KEY_ID, SECRET
from palaver.client import Client, ConnectionLost, RequestRefused, connect
from palaver.signaling.tokens import mint

pytestmark = pytest.mark.timeout(180)

ROOMS = [f"room-{number}" for number in range(8)]


def told(node: NodeProcess) -> list[str]:
    return [entry["event"] for entry in node.logs]


def gone(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return True
    return False


async def joined(
    stack: AsyncExitStack, node: NodeProcess, room: str, identity: str, url: str | None = None, **more: Any
) -> Client:
    """Joins at the address of one worker, or at the one of all."""
    client = await stack.enter_async_context(connect(url or node.url, node.token(identity, **more)))
    await client.join(room)
    return client


async def joined_through_both(stack: AsyncExitStack, node: NodeProcess, room: str) -> list[Client]:
    """Clients of a room, until the room's worker took one itself and had one sent to it by the other.

    The kernel chooses who takes a connection (SO_REUSEPORT), by a hash of its port: sixty-four of one kind are no chance.
    """
    clients: list[Client] = []
    while len({client.url == node.url for client in clients}) < 2:
        assert len(clients) < 64, f"one worker takes all connections: {[client.url for client in clients]}"
        clients.append(await joined(stack, node, room, f"{room}-{len(clients)}"))
    return clients


async def refusal(
    stack: AsyncExitStack, node: NodeProcess, room: str, identity: str, url: str | None = None
) -> str:
    """Why it cannot."""
    with pytest.raises((RequestRefused, ConnectionLost)) as refused:
        await joined(stack, node, room, identity, url)
    return getattr(refused.value, "reason", "")


async def test_clients_of_a_room_meet_at_its_worker_whichever_took_them(tmp_path: Path) -> None:
    with serving_process(tmp_path, "", "--workers", "2") as node:
        async with AsyncExitStack() as stack:
            homes: dict[str, str] = {}
            for room in ROOMS:
                clients = await joined_through_both(stack, node, room)
                others = len(clients) - 1
                await eventually(
                    lambda clients=clients, others=others: all(
                        len(client.room.peers) == others for client in clients
                    ),
                    "all meet",
                )
                (homes[room],) = {client.url for client in clients} - {node.url}
            assert len(set(homes.values())) == 2, f"both workers have rooms: {homes}"


async def test_a_ban_holds_for_who_comes_again_through_another_worker(tmp_path: Path) -> None:
    with serving_process(tmp_path, "", "--workers", "2") as node:
        async with AsyncExitStack() as stack:
            owner = await joined(stack, node, "room", "owner", role="owner")
            guest = await joined(stack, node, "room", "guest")
            await eventually(lambda: len(owner.room.peers) == 1, "the owner sees the guest")
            await owner.call("kickUser", identity="guest", ban={"scope": "room", "ttlS": 600})
            await eventually(lambda: guest.state == "closed", "the guest is out")
            for worker in node.where["workers"]:
                assert await refusal(stack, node, "room", "guest", worker["ownGateway"]) == "banned"


def asked(url: str, method: str = "GET", **body: Any) -> tuple[int, Any, str]:
    """What the admin API answers: status, JSON, Location."""
    data = json.dumps(body).encode() if body else None
    headers = {"Authorization": f"Bearer {ADMIN}", "Content-Type": "application/json"}
    opener = urllib.request.build_opener(Unled)
    try:
        with opener.open(urllib.request.Request(url, data, headers, method=method)) as answer:
            return answer.status, json.load(answer), ""
    except urllib.error.HTTPError as error:
        return error.code, json.load(error), error.headers.get("Location", "")


class Unled(urllib.request.HTTPRedirectHandler):
    """Shows redirections instead of following them."""

    def redirect_request(self, *args: Any) -> None:
        return None


def homes(node: NodeProcess, rooms: list[str]) -> dict[str, int]:
    """Room that is open → the number of its worker, from 0, as worker 1 says."""
    first, second = (worker["http"] for worker in node.where["workers"])
    found = {}
    for room in rooms:
        status, body, location = asked(f"{first}/v1/rooms/{room}")
        if status == 200:
            found[room] = 0
            continue
        assert (status, location) == (307, f"{second}/v1/rooms/{room}")
        assert body["error"]["data"] == {
            "reason": "not_found", "retry": "elsewhere", "afterMs": None, "url": location
        }  # fmt: skip
        assert asked(location)[1]["id"] == room
        found[room] = 1
    return found


async def test_a_ban_from_everywhere_holds_at_all_workers_and_over_a_restart(tmp_path: Path) -> None:
    flags = ("--workers", "2", "--set", f"http.admin_token={ADMIN}")
    with serving_process(tmp_path, "", *flags) as node:
        async with AsyncExitStack() as stack:
            owners = [await joined(stack, node, room, "owner-" + room, role="owner") for room in ROOMS]
            guests = [await joined(stack, node, room, "guest") for room in ROOMS]
            assert set(homes(node, ROOMS).values()) == {0, 1}
            await eventually(lambda: all(len(each.room.peers) == 1 for each in owners), "all see the guest")
            kicked = await owners[0].call("kickUser", identity="guest", ban={"scope": "all", "ttlS": 600})
            await eventually(lambda: all(each.state == "closed" for each in guests), "the guest is out")
            await eventually(lambda: all(not each.room.peers for each in owners), "everybody is told")
            for worker in node.where["workers"]:
                assert [each["id"] for each in asked(f"{worker['http']}/v1/bans")[1]["bans"]] == [
                    kicked["banId"]
                ]
            for room in ROOMS:
                assert await refusal(stack, node, room, "guest") == "banned"
    with serving_process(tmp_path, "", *flags) as node:
        async with AsyncExitStack() as stack:
            for room in ROOMS:
                assert await refusal(stack, node, room, "guest") == "banned"
            status, _, _ = asked(f"{node.where['workers'][1]['http']}/v1/bans/{kicked['banId']}", "DELETE")
            assert status == 200
            assert asked(f"{node.where['workers'][0]['http']}/v1/bans")[1]["bans"] == []
            for room in ROOMS:
                await joined(stack, node, room, "guest")


async def test_the_operator_rules_over_all_workers_through_any(tmp_path: Path) -> None:
    with serving_process(tmp_path, "", "--workers", "2", "--set", f"http.admin_token={ADMIN}") as node:
        async with AsyncExitStack() as stack:
            guests = {room: await joined(stack, node, room, "guest") for room in ROOMS}
            where = homes(node, ROOMS)
            room = next(room for room, worker in where.items() if worker == 1)
            first = node.where["workers"][0]["http"]
            status, banned, _ = asked(f"{first}/v1/bans", "POST", identity="guest", room=room)
            assert (status, banned["ended"]) == (201, 0), "its stay is at the other worker"
            await eventually(lambda: guests[room].state == "closed", "the guest is out of that room")
            assert {each.state for each in guests.values()} == {"closed", "joined"}
            assert asked(f"{first}/v1/bans", "POST", identity="guest")[0] == 201
            await eventually(lambda: all(each.state == "closed" for each in guests.values()), "out of all")


async def test_a_room_of_another_worker_is_named_to_who_may_list_rooms(tmp_path: Path) -> None:
    with serving_process(tmp_path, "", "--workers", "2", "--set", f"http.admin_token={ADMIN}") as node:
        async with AsyncExitStack() as stack:
            clients = {room: await joined(stack, node, room, room) for room in ROOMS}
            where = homes(node, ROOMS)
            here, there = (next(room for room, home in where.items() if home == each) for each in (0, 1))
            grants = {"roomJoin": True, "roomList": True}
            token = mint(KEY_ID, SECRET, identity="lister", ttl_seconds=600, grants=grants, now=time.time())
            lister = await stack.enter_async_context(connect(node.url, token))
            await lister.join(here)
            assert (await lister.call("roomInfo", room=here))["counts"]["peers"] == 2
            with pytest.raises(RequestRefused) as refused:
                await lister.call("roomInfo", room=there)
            assert (refused.value.reason, refused.value.retry) == ("not_found", "elsewhere")
            url = refused.value.data["url"]
            elsewhere = await stack.enter_async_context(connect(url, token))
            await elsewhere.join(there)
            assert (elsewhere.url, len(elsewhere.room.peers)) == (url, 1), "it is the one that has the room"
            with pytest.raises(RequestRefused) as unlisted:
                await clients[here].call("roomInfo", room=there)
            assert "url" not in unlisted.value.data


async def test_a_worker_that_dies_is_started_again_and_its_clients_come_back_to_it(tmp_path: Path) -> None:
    with serving_process(tmp_path, "", "--workers", "2") as node:
        async with AsyncExitStack() as stack:
            early = [await joined(stack, node, room, f"{room}-early") for room in ROOMS]
            first, second = node.where["workers"]
            os.kill(first["pid"], signal.SIGKILL)
            await asyncio.to_thread(until, lambda: "a worker serves again" in told(node))
            late = [await joined(stack, node, room, f"{room}-late") for room in ROOMS]
            await eventually(
                lambda: all(len(client.room.peers) == 1 for client in (*early, *late)), "all rooms meet again"
            )
            assert told(node).count("a worker has ended; its rooms are gone") == 1
            assert not gone(second["pid"])


def test_signals_reach_all_workers_and_nothing_is_left(tmp_path: Path) -> None:
    with serving_process(tmp_path, "", "--workers", "3", "--set", f"http.admin_token={ADMIN}") as node:
        workers = node.where["workers"]
        assert [worker["worker"] for worker in workers] == [1, 2, 3]
        assert node.http == workers[0]["http"]
        for worker in workers:
            with urllib.request.urlopen(f"{worker['http']}/metrics") as page:
                assert b"palaver_node_draining" in page.read()
        config = tmp_path / "palaver.toml"
        config.write_text(config.read_text().replace("format = 'json'", "format = 'json'\nlevel = 'debug'"))
        node.process.send_signal(signal.SIGHUP)
        until(lambda: told(node).count("settings reloaded") == 3)
        node.process.send_signal(signal.SIGTERM)
        assert node.ended()[0] == 0
        assert all(gone(worker["pid"]) for worker in workers)


def test_a_second_signal_ends_a_long_drain(tmp_path: Path) -> None:
    more = ("--workers", "2", "--set", "gateway.drain_seconds=3600")
    with serving_process(tmp_path, "", *more) as node:
        host, port = node.url.removeprefix("ws://").removesuffix("/v1").split(":")
        with socket.create_connection((host, int(port))):
            node.process.send_signal(signal.SIGTERM)
            until(lambda: told(node).count("draining") == 2)
            node.process.send_signal(signal.SIGTERM)
            assert node.ended()[0] == 0


def test_workers_end_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    with serving_process(tmp_path, "", "--workers", "2") as node:
        node.process.kill()
        node.process.wait()
        until(lambda: all(gone(worker["pid"]) for worker in node.where["workers"]))


def test_workers_are_members_of_a_cluster_each(tmp_path: Path) -> None:
    with serving_process(
        tmp_path, "", "--workers", "2", "--set", "cluster.enabled=true", "--set", "cluster.port=0",
        "--set", f"http.admin_token={ADMIN}",
    ) as node:  # fmt: skip
        first, second = node.where["workers"]
        assert first["nodeId"] != second["nodeId"]
        other = tmp_path / "other"
        other.mkdir()
        seeds = [part for worker in (first, second) for part in ("--join", worker["gossip"])]
        with serving_process(
            other, "", "--set", f"http.admin_token={ADMIN}", "--gossip-port", "0", *seeds
        ) as third:
            request = urllib.request.Request(
                f"{third.http}/v1/cluster/members", headers={"Authorization": f"Bearer {ADMIN}"}
            )

            def alive() -> bool:
                with urllib.request.urlopen(request) as answer:
                    return answer.read().count(b'"alive"') == 3

            until(alive)


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("--workers", "0"), "gateway.workers"),
        (("--workers", "65"), "gateway.workers"),
        (("--workers", "2", "--port", "65530"), "leaves no room for 2 workers"),
        (("--workers", "2", "--set", "gateway.worker_url=http://x"), "gateway.worker_url must be"),
        (("--workers", "2", "--set", "cluster.invitation=x"), "lets in one node"),
    ],
)
def test_what_cannot_be_is_said(tmp_path: Path, flags: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence), serving_process(tmp_path, "", *flags):
        pass


def test_a_port_that_is_taken_is_refused_before_a_worker_starts(tmp_path: Path) -> None:
    with serving_process(tmp_path, "", "--workers", "2") as node:
        port = node.url.removesuffix("/v1").rpartition(":")[2]
        other = tmp_path / "other"
        other.mkdir()
        with (
            pytest.raises(AssertionError, match=f"cannot listen on 127.0.0.1:{port}"),
            serving_process(other, "", "--workers", "2", "--port", port),
        ):
            pass
