"""The founding classes beside the plainest Python that says what they do."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from palaver.core import BroadcastBuffer, Members, MembershipTable, Priority, StateStore, WriteAheadLog

RANK = {"alive": 0, "suspect": 1, "unreachable": 2, "dead": 3, "left": 4, "banned": 5}
URGENCY: tuple[Priority, ...] = ("refutation", "gone", "suspect", "alive", "application")

others = st.sampled_from(
    ["a", "b", "node-3", "00112233445566778899aabbccddeeff", "signaling-node-eu-west-1", "Zürich, 2nd floor"]
)
statuses = st.sampled_from(list(RANK))
rows = st.tuples(st.integers(0, 4), statuses, st.floats(0, 100))
table_steps = st.lists(
    st.one_of(
        st.tuples(st.just("merge"), st.dictionaries(others, rows)),
        st.tuples(st.just("update"), others, st.none() | st.integers(0, 4), statuses),
        st.tuples(st.just("expire"), st.integers(0, 6)),
    ),
    max_size=30,
)


class NaiveTable:
    def __init__(self) -> None:
        self.members: Members = {"self": (0, "alive", 0.0)}
        self.risen_at: dict[str, float] = {}

    def join(self, node_id: str, row: tuple[int, str, float], now: float) -> bool:
        incarnation, status, heard = row
        known = self.members.get(node_id)
        news = known is None or (incarnation, RANK[status]) > (known[0], RANK[known[1]])
        heard = max(known[2] if known else 0.0, min(heard, now))
        if news:
            self.members[node_id] = (incarnation, status, heard)  # type: ignore[assignment]
            self.risen_at[node_id] = now
        elif known is not None:
            self.members[node_id] = (known[0], known[1], heard)
        return news

    def merge(self, incoming: Members, now: float) -> Members:
        news = [node_id for node_id, row in incoming.items() if self.join(node_id, row, now)]
        return {node_id: self.members[node_id] for node_id in news}

    def update(self, node_id: str, incarnation: int | None, status: str, now: float) -> bool:
        if incarnation is None:
            incarnation = self.members[node_id][0] if node_id in self.members else 0
        return self.join(node_id, (incarnation, status, now if status == "alive" else 0.0), now)

    def expire(self, age: float, now: float) -> set[str]:
        gone = {
            node_id
            for node_id, (_, status, _) in self.members.items()
            if node_id != "self" and RANK[status] >= RANK["dead"] and now - self.risen_at[node_id] >= age
        }
        for node_id in gone:
            del self.members[node_id]
        return gone


@given(table_steps)
def test_a_table_that_merges_updates_and_expires(script: list[tuple]) -> None:
    native, naive = MembershipTable("self"), NaiveTable()
    for second, (verb, *given_) in enumerate(script):
        now = float(second)
        match verb:
            case "merge":
                assert native.merge(given_[0], now=now) == naive.merge(given_[0], now)
            case "update":
                node_id, incarnation, status = given_
                assert native.update(node_id, incarnation, status, now=now) == naive.update(*given_, now)
            case "expire":
                assert set(native.expire(given_[0], now=now)) == naive.expire(given_[0], now)
        assert native.members == naive.members
        # the digest does not remember how the view came about
        again = MembershipTable("self")
        again.merge(naive.members, now=1e6)
        assert native.root == again.root
        assert native.buckets == again.buckets


class NaiveBuffer:
    """A list that is sorted again for every packet. One member: each change is told four times."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.count = 0
        self.changes: dict[str, tuple[int, int, int, bytes]] = {}
        """Urgency, how often told, order of queueing, bytes; by subject."""

    def add_change(self, subject: str, data: bytes, urgency: int) -> bool:
        if subject not in self.changes and len(self.changes) == self.capacity:
            worst = min(
                self.changes, key=lambda s: (-self.changes[s][0], -self.changes[s][1], self.changes[s][2])
            )
            if self.changes[worst][0] < urgency:
                return False
            del self.changes[worst]
        self.count += 1
        self.changes[subject] = (urgency, 0, self.count, data)
        return True

    def next_batch(self, max_bytes: int) -> list[bytes]:
        batch = []
        for subject, (urgency, told, _, data) in sorted(self.changes.items(), key=lambda item: item[1][:3]):
            if len(data) <= max_bytes:
                max_bytes -= len(data)
                batch.append(data)
                self.count += 1
                self.changes[subject] = (urgency, told + 1, self.count, data)
                if told + 1 == 4:
                    del self.changes[subject]
        return batch


buffer_steps = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.binary(min_size=1, max_size=30), st.integers(0, 4))
    | st.integers(0, 60),
    max_size=60,
)


@given(st.integers(1, 6), buffer_steps)
def test_a_buffer_that_fills_packets(capacity: int, script: list) -> None:
    native, naive = BroadcastBuffer(capacity), NaiveBuffer(capacity)
    for step in script:
        if isinstance(step, int):
            assert native.next_batch(step) == naive.next_batch(step)
        else:
            subject, data, urgency = step
            added = native.add_change(subject, data, URGENCY[urgency])
            assert added == naive.add_change(subject, data, urgency)
        assert len(native) == len(naive.changes) <= capacity


log_steps = st.lists(
    st.binary(max_size=40) | st.lists(st.binary(max_size=9)) | st.sampled_from(["reset", "reopen"])
)


@settings(max_examples=50)
@given(log_steps)
def test_a_log_is_a_list_that_survives(script: list) -> None:
    with TemporaryDirectory() as name:
        path, kept, following = Path(name) / "log", [], 1
        log = WriteAheadLog(path, policy="never")
        for step in script:
            match step:
                case "reset":
                    log.reset()
                    kept = []
                case "reopen":
                    log.close()
                    log = WriteAheadLog(path, policy="never", first_seq=1)
                case bytes():
                    assert log.append(step) == following
                    kept.append((following, 0, step))
                    following += 1
                case list():
                    log.append_many(step, kind=3)
                    kept += [(following + n, 3, change) for n, change in enumerate(step)]
                    following += len(step)
            assert log.replay() == kept
            assert log.next_seq == following
        log.close()


lives = st.lists(
    st.tuples(st.floats(0, 1e4), st.lists(st.integers(0, 2**45)), st.booleans()), min_size=1, max_size=6
)


@settings(max_examples=50)
@given(lives)
def test_an_incarnation_never_comes_again_over_accusations_crashes_and_clocks(
    script: list[tuple[float, list[int], bool]],
) -> None:
    """What a node says of itself, over its lives: each accusation is answered, durably covered before it is said."""
    with TemporaryDirectory() as name:
        said = -1
        for unix_time, accusations, crashes_after_covering in script:
            store = StateStore(name)
            first = store.first_incarnation(unix_time=unix_time)
            assert first > said
            table = MembershipTable("self")
            table.update("self", first, now=0.0)
            said = first
            for accused_at in accusations:
                news = table.merge({"self": (accused_at, "dead", 0.0)}, now=1.0)
                if accused_at < said:
                    assert news == {}
                    continue
                (answer, status, _) = news["self"]
                assert (answer, status) == (accused_at + 1, "alive")
                store.cover_incarnation(answer)
                if crashes_after_covering:
                    break
                said = answer
            store.close()  # as a crash: nothing is written here
