"""The parts of the core put together as a node does it: table, buffer, strategy and envelopes, without any I/O."""

from palaver.core import (
    BroadcastBuffer,
    FanoutStrategy,
    GossipEnvelope,
    KeyManager,
    MembershipTable,
    NodeRecord,
    ReplayGuard,
)

SIZE = 60
FANOUT = 3


class Member:
    def __init__(self, number: int) -> None:
        self.keys = KeyManager(number.to_bytes(32, "big"))
        self.table = MembershipTable(self.keys.node_id)
        self.buffer = BroadcastBuffer(members=SIZE)
        self.strategy = FanoutStrategy(seed=number)
        self.guard = ReplayGuard()
        self.sent = 0

    def announce(self, **fields: str) -> None:
        incarnation = self.table.members[self.keys.node_id][0]
        self.take(NodeRecord(self.keys, incarnation, self.sent, **fields).encode())

    def take(self, records: bytes) -> None:
        self.buffer.add_news(self.table.merge_bytes(records, now=1.0).news, self.keys.node_id)

    def packet(self) -> bytes:
        self.sent += 1
        return GossipEnvelope(1, b"".join(self.buffer.next_batch()), self.keys, seq=self.sent).encode()

    def receive(self, packet: bytes) -> None:
        envelope = GossipEnvelope.decode(packet)
        if self.guard.accept(envelope.sender_id, envelope.epoch, envelope.seq):
            self.take(envelope.payload)


def gossip_round(members: list[Member]) -> None:
    for member in members:
        if len(member.buffer):
            for target in member.strategy.select_targets([m for m in members if m is not member], FANOUT):
                target.receive(member.packet())


def cluster() -> list[Member]:
    """Members that know one another, with nothing left to tell."""
    members = [Member(number) for number in range(SIZE)]
    for member in members:
        member.table.merge({other.keys.node_id: (0, "alive", 0.0) for other in members})
    return members


def test_a_rumour_reaches_all_in_a_few_rounds_and_then_dies_out() -> None:
    members = cluster()
    members[0].announce(address="10.0.0.1:7946")
    rounds = 0
    while len({member.table.root for member in members}) > 1:
        gossip_round(members)
        rounds += 1
        assert rounds <= 8
    assert members[-1].table.record(members[0].keys.node_id) is not None
    while any(len(member.buffer) for member in members):
        gossip_round(members)
        rounds += 1
        assert rounds <= 20


def test_a_false_suspicion_is_refuted_everywhere() -> None:
    members = cluster()
    accused = members[7].keys.node_id
    members[0].table.update(accused, status="suspect", now=1.0)
    members[0].buffer.add_news(members[0].table.difference(members[1].table.buckets), members[0].keys.node_id)
    for _ in range(12):
        gossip_round(members)
    assert {member.table.get(accused) for member in members} == {(1, "alive", 0.0)}


def test_a_replayed_packet_changes_nothing() -> None:
    members = cluster()
    members[0].announce(name="alpha")
    packet = members[0].packet()
    members[1].receive(packet)
    told = len(members[1].buffer)
    for _ in range(100):
        members[1].buffer.next_batch()
    members[1].receive(packet)
    assert told == 1
    assert len(members[1].buffer) == 0
