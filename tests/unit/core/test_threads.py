"""Several threads on one object: each call is whole, and what takes long lets other threads run."""

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from palaver.core import (
    BroadcastBuffer,
    FailureDetector,
    FanoutStrategy,
    GossipBackoff,
    GossipStrategy,
    KeyManager,
    MembershipTable,
    MessageCache,
    Node,
    NodeRecord,
    PairwiseLinks,
    ReplayGuard,
    StateStore,
    WriteAheadLog,
)

THREADS = 4
ROUNDS = 200


@pytest.fixture
def switching() -> Iterator[None]:
    """Threads take turns as often as the interpreter can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def together(work: Callable[[int], object]) -> None:
    failures: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            work(number)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.usefixtures("switching")
def test_a_table_of_several_threads_has_what_each_of_them_said() -> None:
    table = MembershipTable("me")

    def work(number: int) -> None:
        for round_ in range(ROUNDS):
            table.merge({f"n{round_}": (number, "alive", 0.0)}, now=1.0)
            table.update(f"own-{number}-{round_}", round_, now=1.0)
            if round_ % 50 == 0:
                table.merge_bytes(table.snapshot_bytes(), now=1.0)
                table.difference(table.buckets)

    together(work)
    assert len(table) == 1 + ROUNDS + THREADS * ROUNDS
    assert all(table.get(f"n{n}") == (THREADS - 1, "alive", 0.0) for n in range(ROUNDS))
    again = MembershipTable("other")
    again.merge_bytes(table.snapshot_bytes(), now=1.0)
    table.merge({"other": (0, "alive", 0.0)}, now=1.0)
    assert table.root == again.root


@pytest.mark.usefixtures("switching")
def test_what_is_taken_once_is_taken_by_one_thread() -> None:
    cache, guard, accepted, new = MessageCache(1000), ReplayGuard(), [], []

    def work(_: int) -> None:
        for round_ in range(ROUNDS):
            accepted.append(guard.accept("a", 1, round_))
            new.append(cache.track(b"%d" % round_))
            new.extend(cache.track_many([b"many-%d" % n for n in range(20)]))

    together(work)
    assert accepted.count(True) <= ROUNDS  # a thread far ahead makes the numbers of others old
    assert new.count(True) == ROUNDS + 20 == len(cache)


@pytest.mark.usefixtures("switching")
def test_each_append_of_several_threads_has_a_number_of_its_own(tmp_path: Path) -> None:
    with WriteAheadLog(tmp_path / "log", policy="interval", interval=0.001) as log:
        numbers: list[int] = []
        together(lambda number: numbers.extend(log.append(b"%d" % number) for _ in range(ROUNDS)))
        assert sorted(numbers) == list(range(1, THREADS * ROUNDS + 1))
        assert [seq for seq, _, _ in log.replay()] == sorted(numbers)


@pytest.mark.usefixtures("switching")
def test_every_locked_class_stands_several_threads(tmp_path: Path) -> None:
    keys, peer, store = KeyManager(bytes(32)), KeyManager(bytes([1]) * 32), StateStore(tmp_path)
    buffer, detector, backoff = BroadcastBuffer(100), FailureDetector(), GossipBackoff()
    fanout, gossip, node = FanoutStrategy(), GossipStrategy(), Node("n")
    here, there = PairwiseLinks(keys), PairwiseLinks(peer)
    here.establish(there.hello)
    there.establish(here.hello)
    signature, table = peer.sign(b"x"), MembershipTable("me")
    opened: list[bytes] = []

    def work(number: int) -> None:
        for round_ in range(ROUNDS):
            buffer.add_change(f"n{round_ % 50}", b"x" * 20)
            buffer.next_batch()
            detector.record_heartbeat(f"n{number}", now=float(round_))
            backoff.should_send("a")
            assert len(fanout.select_targets([1, 2, 3], 2)) == 2
            assert gossip.select_peer([node]) is node
            node.heartbeat(float(round_))
            packet = there.open(here.seal(peer.node_id, b"packet"))
            opened.append(packet.payload if packet else b"")
            if round_ % 50 == 0:
                keys.trust(KeyManager().public_key)
                assert keys.verify_signature(b"x", signature, peer.public_key)
                store.save_membership(table)
                store.cover_incarnation(number * ROUNDS + round_)

    together(work)
    assert opened == [b"packet"] * THREADS * ROUNDS
    assert len(detector) == THREADS
    assert node.last_heartbeat == ROUNDS - 1


def records(count: int) -> bytes:
    return b"".join(NodeRecord(KeyManager(n.to_bytes(32, "big")), 1, 1).encode() for n in range(count))


@pytest.mark.parametrize("what", ["merge_bytes", "track_many", "verify_batch", "append_many"])
def test_a_batch_lets_other_threads_run(what: str, tmp_path: Path) -> None:
    """With a switch interval of an hour the other thread runs only when the interpreter is let go."""
    keys = KeyManager(bytes(32))
    log, many = WriteAheadLog(tmp_path / "log"), [b"%d" % n for n in range(1000)]
    claims, bytes_ = [(b"x", keys.sign(b"x"), keys.public_key)] * 100, records(100)
    calls: dict[str, Callable[[], object]] = {
        "merge_bytes": lambda: MembershipTable("me").merge_bytes(bytes_, now=1.0),
        "track_many": lambda: MessageCache().track_many(many),
        "verify_batch": lambda: keys.verify_batch(claims),
        "append_many": lambda: log.append_many(many),
    }
    gate, steps, ended = threading.Lock(), [0], [False]

    def count() -> None:
        while not ended[0]:
            gate.acquire()  # waits without the interpreter until it is opened
            steps[0] += 1

    before = sys.getswitchinterval()
    sys.setswitchinterval(3600.0)
    other = threading.Thread(target=count)
    gate.acquire()
    try:
        other.start()
        for _ in range(1000):  # the system may be slow to wake the other thread
            if gate.locked():
                gate.release()
            calls[what]()
            if steps[0]:
                break
        advanced = steps[0] > 0
    finally:
        ended[0] = True
        sys.setswitchinterval(before)
        if gate.locked():
            gate.release()
        other.join(60)
        log.close()
    assert advanced
