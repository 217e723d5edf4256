"""A node drains and names another: the client goes there, with what it has."""

from __future__ import annotations

import asyncio
import socket

from harness.media import eventually
from harness.node import RunningNode, running_node
from palaver.client import Client, Event, connect

NO_MEDIA = {"embedded": False}


def said(client: Client, name: str) -> list[Event]:
    heard: list[Event] = []
    client.on(name, heard.append)
    return heard


async def arrived(client: Client, node: RunningNode) -> None:
    await eventually(lambda: (client.url, client.state) == (node.url, "joined"), f"it is at {node.url}")


def dead_address() -> str:
    """An address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"ws://127.0.0.1:{server.getsockname()[1]}/v1"


async def test_clients_of_a_draining_node_arrive_at_the_one_it_names_and_meet_there() -> None:
    async with (
        running_node(media=NO_MEDIA) as there,
        running_node(media=NO_MEDIA, gateway={"alternatives": (there.url,)}) as here,
        connect(here.url, here.token("alice")) as alice,
        connect(here.url, here.token("bob")) as bob,
    ):
        await alice.join("garden")
        await bob.join("garden")
        rejoined = said(alice, "rejoined")
        assert await here.node.drain(0.1)
        await arrived(alice, there)
        await arrived(bob, there)
        assert len(rejoined) == 1, "the other node does not know the session: it is a new one"
        await eventually(lambda: len(alice.room.peers) == 1, "alice sees bob again")
        assert (await alice.call("roomInfo"))["counts"]["peers"] == 2
        assert not here.node.gateway.table.sockets
        assert there.node.plane.messages.errors == {"not_found": 2}, "each has shown its ticket once"


async def test_where_the_named_node_does_not_answer_the_client_comes_back() -> None:
    gateway = {"alternatives": (dead_address(),)}
    async with (
        running_node(media=NO_MEDIA, gateway=gateway) as node,
        connect(node.url, node.token("alice")) as alice,
    ):
        await alice.join("garden")
        reconnecting, resumed = said(alice, "reconnecting"), said(alice, "resumed")
        draining = asyncio.create_task(node.node.drain(0.0))
        await eventually(lambda: bool(reconnecting), "it is sent away")
        await draining
        node.node.undrain()
        await eventually(lambda: bool(resumed), "its old session is still there")
        assert [event["url"] for event in reconnecting][:2] == [*gateway["alternatives"], node.url]
        assert alice.url == node.url


async def test_a_ticket_that_the_named_node_refuses_is_still_good_at_home() -> None:
    """The named node refuses the token for good: it has other keys."""
    async with (
        running_node(media=NO_MEDIA, auth={"keys": {"other": "k" * 32}}) as strange,
        running_node(media=NO_MEDIA, gateway={"alternatives": (strange.url,)}) as node,
        connect(node.url, node.token("alice")) as alice,
    ):
        await alice.join("garden")
        peer = alice.room.you.id
        resumed = said(alice, "resumed")
        draining = asyncio.create_task(node.node.drain(0.0))
        await eventually(lambda: bool(strange.node.plane.messages.errors), "it asks there first")
        await draining
        node.node.undrain()
        await eventually(lambda: bool(resumed), "it is home again")
        assert alice.room.you.id == peer


async def test_a_loss_at_the_new_node_is_resumed_there() -> None:
    async with (
        running_node(media=NO_MEDIA) as there,
        running_node(media=NO_MEDIA, gateway={"alternatives": (there.url,)}) as here,
        connect(here.url, here.token("alice")) as alice,
    ):
        await alice.join("garden")
        await here.node.drain(0.0)
        await arrived(alice, there)
        resumed = said(alice, "resumed")
        for each in list(there.node.gateway.table.sockets):
            each.abort()
        await eventually(lambda: bool(resumed), "the session goes on where it is")
        assert alice.url == there.url
