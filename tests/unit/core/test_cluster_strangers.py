"""What comes to the port of a cluster node over real sockets and is not from a member: counted, and otherwise nothing."""

from __future__ import annotations

import random
import select
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from palaver.core import ClusterDriver, Event, IdentityConflict, KeyManager

PATIENCE = 30.0


@pytest.fixture
def start() -> Iterator[Callable[..., ClusterDriver]]:
    started: list[ClusterDriver] = []

    def driver(keys: KeyManager | None = None, seed: ClusterDriver | None = None) -> ClusterDriver:
        started.append(ClusterDriver(keys or KeyManager()))
        started[-1].start("127.0.0.1:0", seeds=[] if seed is None else [seed.address])
        return started[-1]

    yield driver
    for each in started:
        each.close()


def until(driver: ClusterDriver, holds: Callable[[list[Event]], object]) -> list[Event]:
    """All that the driver has told when it holds."""
    end, told = time.monotonic() + PATIENCE, driver.drain()
    while not holds(told):
        assert time.monotonic() < end, told
        select.select([driver.fd], [], [], 0.1)
        told += driver.drain()
    return told


def garbage() -> Iterator[bytes]:
    """Nothing, a few bytes, zeros, what begins like a packet and is cut off, up to the longest datagram there is."""
    chance = random.Random(1)
    yield b""
    for length in (1, 13, 14, 15, 64, 500, 1_200, 1_201, 9_000, 65_507):
        yield bytes(length)
        yield chance.randbytes(length)
        yield b"PC\x01\x01" + chance.randbytes(max(0, length - 4))
        yield b"PV\x01\x00" + chance.randbytes(max(0, length - 4))


def test_datagrams_that_are_none_are_counted_and_not_answered(start: Callable[..., ClusterDriver]) -> None:
    node = start()
    host, _, port = node.address.rpartition(":")
    root, before = node.root(), node.counters()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.1", 0))
        for sent, bytes_ in enumerate(garbage(), start=1):
            stranger.sendto(bytes_, (host, int(port)))
            until(node, lambda _, sent=sent: node.counters()["refused"] - before["refused"] == sent)
        after = node.counters()
        assert after["sent"] == before["sent"]
        assert select.select([stranger], [], [], 0)[0] == []
    assert (node.root(), len(node.members())) == (root, 1)


def test_of_two_processes_with_one_key_one_is_heard_and_the_other_is_told(
    start: Callable[..., ClusterDriver],
) -> None:
    """The one of the later second is taken for the later life; of one second, the one that came first."""
    keys, first = KeyManager(), start()
    one = start(keys, first)
    until(first, lambda _: first.status(one.node_id) == "alive")
    other = start(keys, first)
    assert other.node_id == one.node_id
    later = other.incarnation >> 16 > one.incarnation >> 16  # Unix seconds of the start
    heard, unheard = (other, one) if later else (one, other)
    until(unheard, lambda told: any(isinstance(event, IdentityConflict) for event in told))
    assert [member.address for member in first.members() if member.node_id != first.node_id] == [
        heard.address
    ]
    # Not at each moment: of two nodes one missed answer is a quorum, and on a busy machine a thread may give one late.
    until(first, lambda _: first.status(heard.node_id) == "alive")
