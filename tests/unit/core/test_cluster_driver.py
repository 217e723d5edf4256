"""ClusterDriver on real sockets of the loopback. What is waited for has a deadline, and nothing sleeps."""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from palaver.core import (
    Alone,
    ArgumentError,
    Blocked,
    BroadcastReceived,
    ClusterDriver,
    Event,
    Joined,
    KeyManager,
    NodeMetadata,
    SignatureError,
    Stopped,
    StoppedError,
    Unblocked,
    ViewChanged,
    sign_ban,
    sign_ticket,
)

DEADLINE = 20.0
"""Seconds; a machine that is busy with other things must fit in."""


class Node:
    """A driver and all that it has told."""

    def __init__(self, keys: KeyManager | None = None, **settings: Any) -> None:
        self.keys = keys or KeyManager()
        self.driver = ClusterDriver(self.keys, **settings)
        self.told: list[Event] = []

    def start(self, *seeds: Node, bind: str = "127.0.0.1:0") -> Node:
        self.driver.start(bind, seeds=[seed.driver.address for seed in seeds])
        return self

    def await_(self, condition: Callable[[], object]) -> None:
        """Waits for the descriptor until the condition holds; it is asked again each tenth of a second."""
        end = time.monotonic() + DEADLINE
        while not condition():
            left = end - time.monotonic()
            assert left > 0, f"this has not come: {self.told}"
            select.select([self.driver.fd], [], [], min(left, 0.1))
            self.told += self.driver.drain()

    def await_event(self, kind: type) -> Any:
        def come() -> list[Event]:
            return [event for event in self.told if isinstance(event, kind)]

        self.await_(come)
        return come()[0]

    def sees(self, *others: Node, status: str = "alive") -> bool:
        return all(self.driver.status(other.driver.node_id) == status for other in others)


@pytest.fixture
def node() -> Iterator[Callable[..., Node]]:
    made: list[Node] = []

    def make(keys: KeyManager | None = None, **settings: Any) -> Node:
        made.append(Node(keys, **settings))
        return made[-1]

    yield make
    for each in made:
        each.driver.close()


Make = Callable[..., Node]


def test_nodes_that_know_one_seed_find_each_other_and_a_goodbye_is_heard(node: Make) -> None:
    first = node(name="first", metadata=NodeMetadata("eu", "eu-1")).start()
    second, third = node(name="second").start(first), node().start(first)
    for each in (first, second, third):
        each.await_(lambda each=each: each.sees(first, second, third))
    second.await_event(Joined)
    second.await_(lambda: second.driver.root() == first.driver.root())
    seen = second.driver.member(first.driver.node_id)
    assert seen is not None
    assert (seen.name, seen.region, seen.zone, seen.address) == ("first", "eu", "eu-1", first.driver.address)
    assert [member.node_id for member in third.driver.members()] == sorted(
        each.driver.node_id for each in (first, second, third)
    )
    reach = third.driver.reachability()
    assert (reach.members, reach.unreachable, reach.dead, reach.partition_suspected) == (3, (), (), False)
    assert (first.driver.reachability().seeds, reach.seeds) == ("none", "joined")
    assert second.driver.leave(timeout=DEADLINE)
    assert second.await_event(Stopped) == Stopped(2, "left")
    first.await_(lambda: first.sees(second, status="left"))
    assert first.await_event(ViewChanged).changes


def test_a_broadcast_comes_once_to_every_other_and_vitals_are_told(node: Make) -> None:
    first = node().start()
    second = node().start(first)
    second.await_(lambda: second.sees(first) and first.sees(second))
    second.driver.broadcast(b"revoked: ada", urgent=True)
    told = first.await_event(BroadcastReceived)
    assert told == BroadcastReceived(second.driver.node_id, urgent=True, payload=b"revoked: ada")
    second.driver.set_vitals(load=300, sessions=42)

    def told_vitals() -> bool:
        member = first.driver.member(second.driver.node_id)
        return member is not None and (member.load, member.sessions, member.draining) == (300, 42, False)

    first.await_(told_vitals)
    with pytest.raises(ArgumentError, match="at most 850 bytes, not 851"):
        second.driver.broadcast(bytes(851))


def test_seeds_that_are_silent_are_told_and_asked_on(node: Make) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        lonely = node()
        lonely.driver.start("127.0.0.1:0", seeds=[f"127.0.0.1:{nobody.getsockname()[1]}"])
        assert lonely.driver.reachability().seeds == "asking"
        lonely.await_event(Alone)
        assert lonely.driver.reachability().seeds == "silent"
        found = node().start()
        lonely.driver.join([found.driver.address])
        lonely.await_event(Joined)


def test_what_a_node_keeps_brings_it_back_without_seeds(node: Make, tmp_path: Path) -> None:
    first = node().start()
    keys = KeyManager()
    second = node(keys, state_dir=tmp_path / "b").start(first)
    second.await_(lambda: second.sees(first) and first.sees(second))
    before = second.driver.incarnation
    with pytest.raises(BlockingIOError):
        node(keys, state_dir=tmp_path / "b").start()
    second.driver.close()
    assert second.await_event(Stopped) == Stopped(0, "closed")
    assert {entry.name for entry in (tmp_path / "b").iterdir()} >= {"incarnation", "state", "membership.log"}
    again = node(keys, state_dir=tmp_path / "b").start()
    again.await_(lambda: again.sees(first))
    assert again.driver.incarnation > before

    def come_back() -> bool:
        member = first.driver.member(again.driver.node_id)
        return (
            member is not None and member.incarnation >= again.driver.incarnation and member.status == "alive"
        )

    first.await_(come_back)


def test_without_admission_nothing_but_the_loopback_is_bound(node: Make) -> None:
    for bind in ("0.0.0.0:0", "[::]:0", "192.0.2.1:0"):
        with pytest.raises(ArgumentError, match=r"anybody there could join|give the address to advertise"):
            node().start(bind=bind)
    with pytest.raises(ArgumentError, match="without admission anybody"):
        node().driver.start("0.0.0.0:0", advertise="127.0.0.1:7946")
    with pytest.raises(ArgumentError, match="look names up before"):
        node().start(bind="localhost:7946")
    admitted = node(allowed_keys=[KeyManager().public_key])
    admitted.driver.start("0.0.0.0:0", advertise="127.0.0.1:7946")
    with pytest.raises(ArgumentError, match="without admission anybody"):
        admitted.driver.set_admission()
    with pytest.raises(ArgumentError, match="authorities decide alone"):
        node(authorities=[KeyManager().public_key], allowed_keys=[])


def test_authorities_let_in_who_has_a_ticket_and_ban_for_ever(node: Make) -> None:
    authority, old, new = KeyManager(), KeyManager(), KeyManager()
    rules = {"cluster": "c", "authorities": [authority.public_key]}

    def ticket(keys: KeyManager, by: KeyManager = authority) -> bytes:
        return sign_ticket(by, "c", keys.public_key, int(time.time()) + 3600)

    first = node(old, ticket=ticket(old), **rules).start()
    second = node(new, ticket=ticket(new), **rules).start(first)
    second.await_(lambda: second.sees(first) and first.sees(second))
    stranger = node(**rules).start(first)
    stranger.await_event(Alone)
    assert first.driver.status(stranger.driver.node_id) is None
    successor = KeyManager()
    first.driver.set_admission(
        authorities=[authority.public_key, successor.public_key], ticket=ticket(old, by=successor)
    )
    third = KeyManager()
    later = node(
        third, cluster="c", authorities=[successor.public_key], ticket=ticket(third, by=successor)
    ).start(first)
    later.await_(lambda: later.sees(first) and first.sees(later))
    with pytest.raises((SignatureError, ArgumentError)):
        first.driver.ban(sign_ban(new, "c", new.node_id))
    first.driver.ban(sign_ban(authority, "c", new.node_id))
    first.await_(lambda: first.sees(second, status="banned"))


def test_a_loop_that_does_not_beat_is_told_of_and_finally_leaves(node: Make) -> None:
    first = node().start()
    second = node(blocked_after=0.6, leave_after=3.0).start(first)
    second.await_(lambda: second.sees(first) and first.sees(second))
    second.driver.beat()
    assert second.await_event(Blocked).seconds > 0.6

    def drains() -> bool:
        member = first.driver.member(second.driver.node_id)
        return member is not None and member.draining

    first.await_(drains)
    second.driver.beat()
    second.await_event(Unblocked)
    stopped = second.await_event(Stopped)
    assert (stopped.acknowledged, stopped.why) == (1, "blocked")
    first.await_(lambda: first.sees(second, status="left"))


def test_strangers_on_the_stream_port_are_bounded(node: Make) -> None:
    first = node().start()
    host, port = first.driver.address.rsplit(":", 1)
    address = (host, int(port))

    def counters() -> dict[str, float]:
        return first.driver.counters()

    with socket.create_connection(address) as liar:
        liar.sendall(struct.pack("<I", 1 << 30))
        liar.settimeout(DEADLINE)
        assert liar.recv(1) == b""
    with socket.create_connection(address) as stranger:
        stranger.sendall(struct.pack("<I", 5) + b"hello")
        stranger.settimeout(DEADLINE)
        assert stranger.recv(1) == b""
    first.await_(lambda: counters()["streams_received"] == 1 and counters()["refused"] >= 1)
    crowd = [socket.create_connection(address) for _ in range(140)]
    try:
        first.await_(lambda: counters()["connections_dropped"] >= 1 + 140 - 128)
        assert counters()["connections"] <= 128
        second = node().start(first)
        second.await_(lambda: second.sees(first) and first.sees(second))
    finally:
        for each in crowd:
            each.close()


def test_before_the_start_and_after_the_end_it_says_so(node: Make) -> None:
    one = node()
    with pytest.raises(StoppedError, match="not been started"):
        one.driver.members()
    one.start()
    with pytest.raises(ArgumentError, match="started before"):
        one.start()
    one.driver.close()
    one.driver.close()
    with pytest.raises(StoppedError, match="has stopped"):
        one.driver.members()
    assert one.driver.drain()[-1] == Stopped(0, "closed")
    assert one.driver.counters()["cpu_seconds"] > 0


def test_a_port_that_is_taken_is_an_error_of_the_system(node: Make) -> None:
    first = node().start()
    with pytest.raises(OSError, match="cannot listen on") as caught:
        node().start(bind=first.driver.address)
    assert caught.value.errno is not None


def test_settings_that_cannot_work_are_refused_by_name(node: Make) -> None:
    with pytest.raises(ArgumentError, match="there is no setting"):
        node(settings={"speed": 1.0})
    with pytest.raises(ArgumentError, match="probe_interval"):
        node(settings={"probe_interval": 0.0})
    with pytest.raises(ArgumentError, match="blocked_after"):
        node(blocked_after=0.0)
    with pytest.raises(ArgumentError, match="queue"):
        node(queue=0)
    with pytest.raises(ArgumentError, match="72 bytes"):
        node(ticket=b"short")


def test_a_forked_child_has_no_node(node: Make) -> None:
    first = node().start()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            first.driver.members()
        except StoppedError:
            os.write(write, b"stopped")
        os._exit(0)
    os.close(write)
    assert os.read(read, 16) == b"stopped"
    os.close(read)
    os.waitpid(child, 0)
    assert len(first.driver.members()) == 1
