"""ProductionNode: the engine in one process, by hand and in virtual time."""

from __future__ import annotations

import pytest

from palaver.core import (
    ArgumentError,
    BroadcastReceived,
    Joined,
    KeyManager,
    NodeMetadata,
    ProductionNode,
    Stopped,
    StoppedError,
    ViewChanged,
)

START = 1_000.0
WALL = 1_800_000_000.0


def made(number: int) -> ProductionNode:
    """The same node each time."""
    keys = KeyManager(bytes([number] * 32))
    return ProductionNode(f"n{number}", keys, seed=number, now=START, unix_time=WALL)


class Network:
    """Carries packets between nodes at once, and lets time pass in steps."""

    def __init__(self, *nodes: ProductionNode) -> None:
        self.nodes = {node.address: node for node in nodes}
        self.now = START
        self.carried: list[bytes] = []

    def run(self, seconds: float, *, without: tuple[ProductionNode, ...] = ()) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += 0.02
            for address, node in self.nodes.items():
                if node in without:
                    continue
                for to, payload, stream in node.send_gossip(now=self.now):
                    self.carried.append(payload)
                    receiver = self.nodes.get(to)
                    if receiver is not None and receiver not in without:
                        receiver.receive_gossip(payload, address, stream=stream, now=self.now)


def joined(count: int) -> tuple[Network, list[ProductionNode]]:
    nodes = [made(number) for number in range(1, count + 1)]
    network = Network(*nodes)
    for node in nodes[1:]:
        node.join([nodes[0].address], now=START)
    network.run(5.0)
    return network, nodes


def test_a_node_has_what_the_founding_class_has() -> None:
    keys = KeyManager()
    node = ProductionNode("a", keys, metadata=NodeMetadata("eu", "eu-1"), now=START, unix_time=WALL)
    assert (node.name, node.node_id, node.status) == ("a", keys.node_id, "alive")
    assert node.incarnation == int(WALL) << 16
    assert node.membership == {keys.node_id: (node.incarnation, "alive", START)}
    assert node.metrics["received"] == 0
    [member] = node.members()
    assert (member.name, member.region, member.zone, member.address) == ("a", "eu", "eu-1", node.address)


def test_two_nodes_that_gossip_agree_and_a_third_hears_of_both() -> None:
    a, b, c = made(1), made(2), made(3)
    assert a.gossip_to(b, now=START)
    assert set(a.membership) == set(b.membership) == {a.node_id, b.node_id}
    assert b.gossip_to(c, now=START)
    assert b.root == c.root != a.root
    assert a.gossip_to(c, now=START)
    assert a.root == b.root == c.root
    assert not a.gossip_to(c, now=START)
    assert not a.gossip_to(a, now=START)


def test_who_is_not_admitted_is_not_taken_up() -> None:
    a, b = (KeyManager(bytes([number] * 32)) for number in (1, 2))
    strict = ProductionNode("a", a, allowed_keys=[a.public_key], now=START, unix_time=WALL)
    stranger = ProductionNode("b", b, now=START, unix_time=WALL)
    stranger.gossip_to(strict, now=START)
    assert set(strict.membership) == {a.node_id}
    assert set(stranger.membership) == {a.node_id, b.node_id}
    other_cluster = ProductionNode("c", cluster="other", now=START, unix_time=WALL)
    for address, payload, stream in stranger.send_gossip(now=START + 1):
        assert address
        assert not other_cluster.receive_gossip(payload, stranger.address, stream=stream, now=START + 1)


def test_packets_carried_by_hand_make_a_cluster_which_misses_who_is_silent() -> None:
    network, nodes = joined(5)
    assert len({node.root for node in nodes}) == 1
    assert all(len(node.membership) == 5 for node in nodes)
    for node in nodes[1:]:
        assert Joined() in node.drain()
    nodes[0].drain()
    *others, silent = nodes
    network.run(16.0, without=(silent,))
    assert {node.membership[silent.node_id][1] for node in others} == {"dead"}
    changes = [
        change for event in others[0].drain() if isinstance(event, ViewChanged) for change in event.changes
    ]
    assert [(change.before, change.after) for change in changes] == [
        ("alive", "unreachable"),
        ("unreachable", "dead"),
    ]
    network.run(20.0)
    assert {node.membership[silent.node_id][1] for node in others} == {"alive"}
    assert silent.incarnation > int(WALL) << 16
    assert silent.metrics["refutations"] >= 1


def test_a_broadcast_comes_to_each_other_once() -> None:
    network, nodes = joined(4)
    nodes[2].broadcast(b"hello", urgent=True, now=network.now)
    network.run(3.0)
    for node in nodes:
        heard = [event for event in node.drain() if isinstance(event, BroadcastReceived)]
        expected = (
            [] if node is nodes[2] else [BroadcastReceived(nodes[2].node_id, urgent=True, payload=b"hello")]
        )
        assert heard == expected


def test_a_goodbye_is_heard_and_then_it_is_over() -> None:
    network, nodes = joined(4)
    assert nodes[3].update_status("left", now=network.now) == "left"
    network.run(2.0)
    assert nodes[3].drain()[-1] == Stopped(3, "left")
    assert {node.membership[nodes[3].node_id][1] for node in nodes} == {"left"}
    assert nodes[3].heartbeat(now=network.now) is None
    for action in (
        lambda: nodes[3].broadcast(b""),
        lambda: nodes[3].update_status(),
        lambda: nodes[0].gossip_to(nodes[3]),
    ):
        with pytest.raises(StoppedError, match="has left"):
            action()


def test_vitals_are_kept_told_and_changed_one_by_one() -> None:
    network, nodes = joined(2)
    nodes[0].update_status(load=300, sessions=50, now=network.now)
    nodes[0].update_status(draining=True, now=network.now)
    network.run(8.0)
    seen = next(member for member in nodes[1].members() if member.node_id == nodes[0].node_id)
    assert (seen.load, seen.sessions, seen.draining) == (300, 50, True)


def test_heartbeat_says_when_to_come_again() -> None:
    node = made(1)
    due = node.heartbeat(now=START)
    assert due is not None
    assert due > START
    later = node.heartbeat(now=due)
    assert later is not None
    assert later > due
    assert node.heartbeat(now=START) is not None  # an earlier time counts as the latest


def test_the_same_seeds_and_inputs_give_the_same_bytes() -> None:
    first, second = joined(4)[0], joined(4)[0]
    assert first.carried
    assert first.carried == second.carried


@pytest.mark.parametrize("status", ["suspect", "unreachable", "dead", "banned"])
def test_only_others_can_say_that_of_a_node(status: str) -> None:
    with pytest.raises(ArgumentError, match="for others to say"):
        made(1).update_status(status)  # type: ignore[arg-type] # any of the words, from a parameter


def test_noise_changes_nothing() -> None:
    node = made(1)
    before = node.root
    for payload in (b"", b"x" * 1200, bytes(4000)):
        assert not node.receive_gossip(payload, "127.0.0.1:9", now=START)
    assert (node.root, len(node.membership), node.metrics["refused"]) == (before, 1, 3)
    with pytest.raises(ArgumentError, match="an address is"):
        node.receive_gossip(b"", "somewhere", now=START)


def test_the_membership_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    a, b = made(1), made(2)
    a.gossip_to(b, now=START)
    a.print_membership()
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 3
    assert [line[0] for line in printed].count("*") == 1
    assert any(a.node_id in line and line.startswith("*") and line.endswith("n1") for line in printed)
