"""What the core costs from Python, beside a naive table in Python, `cryptography` and PyNaCl. Each pair has a group."""

from collections import deque
from itertools import cycle
from pathlib import Path

import pytest

from palaver.core import (
    GossipStrategy,
    KeyManager,
    MembershipTable,
    MessageCache,
    Node,
    NodeMetadata,
    WriteAheadLog,
)
from palaver.core.types import Members

MEMBERS = 10_000
RANK = {"alive": 0, "suspect": 1, "unreachable": 2, "dead": 3, "left": 4, "banned": 5}
NOW = 5.0
SIGNED = 64


def view(size: int) -> Members:
    return {f"{n:032x}": (1, "alive", 1.0) for n in range(size)}


class NaiveTable:
    """The founding table as one writes it first."""

    def __init__(self) -> None:
        self.members: Members = {}

    def merge(self, incoming: Members, now: float) -> Members:
        news: Members = {}
        for node_id, (incarnation, status, heard) in incoming.items():
            known = self.members.get(node_id)
            if known is None or (incarnation, RANK[status]) > (known[0], RANK[known[1]]):
                self.members[node_id] = news[node_id] = (incarnation, status, min(heard, now))
            elif min(heard, now) > known[2]:
                self.members[node_id] = (known[0], known[1], min(heard, now))
        return news


class NaiveCache:
    """A dict for the question and a deque for forgetting."""

    def __init__(self, capacity: int) -> None:
        self.seen: dict[bytes, None] = {}
        self.order: deque[bytes] = deque()
        self.capacity = capacity

    def is_duplicate(self, msg_id: bytes) -> bool:
        return msg_id in self.seen

    def track(self, msg_id: bytes) -> bool:
        if msg_id in self.seen:
            return False
        self.seen[msg_id] = None
        self.order.append(msg_id)
        if len(self.order) > self.capacity:
            del self.seen[self.order.popleft()]
        return True


@pytest.fixture(scope="module")
def incoming() -> Members:
    return view(MEMBERS)


@pytest.mark.benchmark(group="merge of 10,000 unchanged")
def test_naive_table_merges_a_dict(benchmark, incoming: Members) -> None:
    table = NaiveTable()
    table.merge(incoming, NOW)
    assert not benchmark(table.merge, incoming, NOW)


@pytest.mark.benchmark(group="merge of 10,000 unchanged")
def test_palaver_merges_a_dict(benchmark, incoming: Members) -> None:
    table = MembershipTable("self")
    table.merge(incoming, now=NOW)
    assert not benchmark(table.merge, incoming, now=NOW)


@pytest.mark.benchmark(group="merge of 10,000 unchanged")
def test_palaver_merges_bytes(benchmark, incoming: Members) -> None:
    table, other = MembershipTable("self"), MembershipTable("other")
    for side in (table, other):
        side.merge(incoming, now=NOW)
    data = other.snapshot_bytes()
    table.merge_bytes(data, now=NOW)
    assert not benchmark(table.merge_bytes, data, now=NOW).news


def caches(cache: NaiveCache | MessageCache) -> tuple[NaiveCache | MessageCache, list[bytes]]:
    ids = [n.to_bytes(16, "big") for n in range(65_536)]
    for msg_id in ids:
        cache.track(msg_id)
    return cache, ids


@pytest.mark.benchmark(group="pick a peer of 10,000")
@pytest.mark.parametrize("place", [None, NodeMetadata("eu", "zone-1")], ids=["without a zone", "with one"])
def test_pick_a_peer(benchmark, place: NodeMetadata | None) -> None:
    nodes = [Node(f"n{n}", metadata=NodeMetadata("eu", f"zone-{n % 5}")) for n in range(10_000)]
    assert benchmark(GossipStrategy(place, seed=1).select_peer, nodes) in nodes


@pytest.mark.benchmark(group="1,000 dedup lookups among 65,536")
@pytest.mark.parametrize("kind", [NaiveCache, MessageCache], ids=["naive", "palaver"])
def test_look_up(benchmark, kind: type[NaiveCache] | type[MessageCache]) -> None:
    cache, ids = caches(kind(65_536))
    some = ids[:: len(ids) // 1000][:1000]

    def look_up() -> None:
        for msg_id in some:
            cache.is_duplicate(msg_id)

    benchmark(look_up)


@pytest.mark.benchmark(group="1,000 new ids tracked at once")
def test_track_many(benchmark) -> None:
    cache, _ = caches(MessageCache(65_536))
    batches = cycle([[f"{batch}-{n}".encode() for n in range(1000)] for batch in range(200)])
    benchmark(lambda: cache.track_many(next(batches)))


@pytest.fixture(scope="module")
def signed() -> list[tuple[bytes, bytes, bytes]]:
    signers = [KeyManager(bytes([n]) * 32) for n in range(SIGNED)]
    return [
        (bytes([n]) * 100, keys.sign(bytes([n]) * 100), keys.public_key) for n, keys in enumerate(signers)
    ]


@pytest.mark.benchmark(group="verify one")
def test_cryptography_verifies_one(benchmark, signed: list[tuple[bytes, bytes, bytes]]) -> None:
    ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    data, signature, public_key = signed[0]
    benchmark(lambda: ed25519.Ed25519PublicKey.from_public_bytes(public_key).verify(signature, data))


@pytest.mark.benchmark(group="verify one")
def test_pynacl_verifies_one(benchmark, signed: list[tuple[bytes, bytes, bytes]]) -> None:
    signing = pytest.importorskip("nacl.signing")
    data, signature, public_key = signed[0]
    benchmark(lambda: signing.VerifyKey(public_key).verify(data, signature))


@pytest.mark.benchmark(group="verify one")
def test_palaver_verifies_one(benchmark, signed: list[tuple[bytes, bytes, bytes]]) -> None:
    assert benchmark(KeyManager().verify_signature, *signed[0])


@pytest.mark.benchmark(group="verify one")
def test_palaver_verifies_one_of_a_trusted_key(benchmark, signed: list[tuple[bytes, bytes, bytes]]) -> None:
    keys = KeyManager()
    keys.trust(signed[0][2])
    assert benchmark(keys.verify_signature, *signed[0])


@pytest.mark.benchmark(group="verify 64")
@pytest.mark.parametrize("trusted", [False, True], ids=["unknown", "trusted"])
def test_palaver_verifies_64(benchmark, signed: list[tuple[bytes, bytes, bytes]], trusted: bool) -> None:
    keys = KeyManager()
    for _, _, public_key in signed if trusted else []:
        keys.trust(public_key)
    assert all(benchmark(keys.verify_batch, signed))


@pytest.mark.benchmark(group="log")
@pytest.mark.parametrize("policy", ["never", "interval"])
def test_append_96_bytes(benchmark, tmp_path: Path, policy: str) -> None:
    with WriteAheadLog(tmp_path / "log", policy=policy) as log:
        benchmark(log.append, bytes(96))


@pytest.mark.benchmark(group="log")
def test_append_1000_at_once(benchmark, tmp_path: Path) -> None:
    with WriteAheadLog(tmp_path / "log", policy="interval") as log:
        benchmark(log.append_many, [bytes(96)] * 1000)


@pytest.mark.benchmark(group="log")
def test_replay_10000(benchmark, tmp_path: Path) -> None:
    with WriteAheadLog(tmp_path / "log", policy="never") as log:
        log.append_many([bytes(96)] * 10_000)
        assert len(benchmark(log.replay)) == 10_000
