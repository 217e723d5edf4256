"""One suite for every Transport: UDP on loopback and memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from palaver.cluster import MemoryNetwork, TransportError, UdpTransport
from palaver.cluster.transport import MAX_PAYLOAD, QUEUE

Make = Callable[[str], Awaitable[Any]]


@pytest.fixture(params=["memory", "udp"])
async def make(request: pytest.FixtureRequest) -> AsyncIterator[Make]:
    opened: list[Any] = []
    network = MemoryNetwork()

    async def transport(node_id: str) -> Any:
        one = network.transport(node_id) if request.param == "memory" else await UdpTransport.open(node_id)
        opened.append(one)
        return one

    yield transport
    for one in opened:
        await one.close()


async def pair(make: Make) -> tuple[Any, Any]:
    a, b = await make("a"), await make("b")
    a.add_peer("b", b.address)
    b.add_peer("a", a.address)
    return a, b


async def soon(what: Awaitable[bytes]) -> bytes:
    async with asyncio.timeout(10):
        return await what


async def test_a_payload_comes_whole_from_whom_it_was_sent(make: Make) -> None:
    a, b = await pair(make)
    await a.send("b", b"to b")
    await b.send("a", b"x" * MAX_PAYLOAD)
    assert await soon(b.receive("a")) == b"to b"
    assert await soon(a.receive("b")) == b"x" * MAX_PAYLOAD
    assert (a.node_id, b.node_id) == ("a", "b")


async def test_payloads_of_one_node_come_in_order(make: Make) -> None:
    a, b = await pair(make)
    for payload in (b"1", b"2", b"3"):
        await a.send("b", payload)
    assert [await soon(b.receive("a")) for _ in range(3)] == [b"1", b"2", b"3"]


async def test_senders_are_told_apart(make: Make) -> None:
    a, b = await pair(make)
    c = await make("c")
    c.add_peer("b", b.address)
    b.add_peer("c", c.address)
    await c.send("b", b"from c")
    await a.send("b", b"from a")
    assert await soon(b.receive("a")) == b"from a"
    assert await soon(b.receive("c")) == b"from c"


async def test_what_comes_from_a_stranger_is_dropped_and_counted(make: Make) -> None:
    a, b = await pair(make)
    c = await make("c")
    c.add_peer("b", b.address)
    await c.send("b", b"who am i")
    await a.send("b", b"me")
    assert await soon(b.receive("a")) == b"me"
    assert b.inbox.strangers == 1


async def test_who_waits_gets_what_comes_later(make: Make) -> None:
    a, b = await pair(make)
    waiting = asyncio.create_task(b.receive("a"))
    await asyncio.sleep(0)
    await a.send("b", b"late")
    assert await soon(waiting) == b"late"


@pytest.mark.parametrize("verb", ["send", "receive"])
async def test_an_unknown_node_is_an_error(make: Make, verb: str) -> None:
    a, _ = await pair(make)
    with pytest.raises(TransportError, match="'z' is no peer"):
        await (a.send("z", b"x") if verb == "send" else a.receive("z"))


@pytest.mark.parametrize("size", [0, MAX_PAYLOAD + 1])
async def test_a_payload_outside_the_bounds_is_not_sent(make: Make, size: int) -> None:
    a, b = await pair(make)
    with pytest.raises(TransportError, match=f"1 to 1200 bytes, not {size}"):
        await a.send("b", b"x" * size)
    await a.send("b", b"next")
    assert await soon(b.receive("a")) == b"next"


async def test_who_is_removed_is_unknown_and_whoever_waits_is_told(make: Make) -> None:
    _, b = await pair(make)
    waiting = asyncio.create_task(b.receive("a"))
    await asyncio.sleep(0)
    b.remove_peer("a")
    with pytest.raises(TransportError, match="is no peer"):
        await soon(waiting)
    with pytest.raises(TransportError, match="is no peer"):
        await b.send("a", b"x")


async def test_one_address_is_one_node(make: Make) -> None:
    a, b = await pair(make)
    with pytest.raises(TransportError, match="is the address of 'b'"):
        a.add_peer("c", b.address)


async def test_a_node_may_move(make: Make) -> None:
    a, _ = await pair(make)
    moved = await make("b")
    moved.add_peer("a", a.address)
    a.add_peer("b", moved.address)
    await a.send("b", b"here?")
    assert await soon(moved.receive("a")) == b"here?"
    await moved.send("a", b"here")
    assert await soon(a.receive("b")) == b"here"


async def test_a_closed_transport_says_so_to_everybody(make: Make) -> None:
    a, b = await pair(make)
    waiting = asyncio.create_task(b.receive("a"))
    await asyncio.sleep(0)
    await b.close()
    await b.close()
    with pytest.raises(TransportError, match="is closed"):
        await soon(waiting)
    with pytest.raises(TransportError, match="is closed"):
        await b.send("a", b"x")
    await a.send("b", b"into the void")


async def test_the_oldest_are_lost_when_nobody_receives() -> None:
    network = MemoryNetwork()
    a, b = network.transport("a"), network.transport("b")
    a.add_peer("b", b.address)
    b.add_peer("a", a.address)
    for number in range(QUEUE + 2):
        await a.send("b", str(number).encode())
    assert await b.receive("a") == b"2"
    assert b.inbox.overflowed == 2


async def test_a_taken_port_is_named() -> None:
    one = await UdpTransport.open("a")
    host, port = one.address
    with pytest.raises(TransportError, match=f"127.0.0.1 port {port} cannot be bound: it is taken"):
        await UdpTransport.open("b", host, port)
    await one.close()


@pytest.mark.parametrize(
    "address",
    [("127.0.0.1", 99_999), ("127.0.0.1", 0), ("localhost", 7882), ("999.1.1.1", 7882), ("::1", 7882), "x:1"],
)
async def test_an_address_that_nothing_can_be_sent_to_is_refused(address: Any) -> None:
    one = await UdpTransport.open("a")
    with pytest.raises(TransportError, match=r"an address is|one is IPv4"):
        one.add_peer("b", address)
    await one.close()
