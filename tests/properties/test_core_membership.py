"""The native MembershipTable against the naive model, and the laws of its merge seen from Python."""

from hypothesis import given
from hypothesis import strategies as st

from palaver.core import Members, MembershipTable

RANK = {"alive": 0, "suspect": 1, "unreachable": 2, "dead": 3, "left": 4, "banned": 5}
LAST_INCARNATION = 2**61 - 1
NOW = 50.0

node_ids = st.sampled_from(["self", "a", "b", "node-3", "00112233445566778899aabbccddeeff"])
incarnations = st.integers(0, 4) | st.integers(LAST_INCARNATION - 2, LAST_INCARNATION - 1)
unanswerable = st.tuples(st.just(LAST_INCARNATION), st.sampled_from(["alive", "banned"]), st.floats(0, 100))
rows = st.tuples(incarnations, st.sampled_from(list(RANK)), st.floats(0, 100)) | unanswerable
views = st.dictionaries(node_ids, rows)


class NaiveTable:
    """The founding table as plainly as Python can say it."""

    def __init__(self) -> None:
        self.members: Members = {"self": (0, "alive", 0.0)}

    def merge(self, incoming: Members, now: float) -> Members:
        news: Members = {}
        for node_id, (incarnation, status, heard) in incoming.items():
            if node_id == "self" and status not in ("alive", "banned"):
                incarnation, status = incarnation + 1, "alive"
            known = self.members.get(node_id)
            heard = min(heard, now) if known is None else max(known[2], min(heard, now))
            if known is None or (incarnation, RANK[status]) > (known[0], RANK[known[1]]):
                self.members[node_id] = news[node_id] = (incarnation, status, heard)
            else:
                self.members[node_id] = (known[0], known[1], heard)
        return news


@given(st.lists(st.tuples(views, st.floats(0, 100))))
def test_the_native_table_does_what_the_naive_one_does(script: list[tuple[Members, float]]) -> None:
    native, naive = MembershipTable("self"), NaiveTable()
    for incoming, now in script:
        assert native.merge(incoming, now=now) == naive.merge(incoming, now)
        assert native.members == naive.members


@given(st.lists(views), st.randoms(use_true_random=False))
def test_order_and_repetition_of_gossip_do_not_matter(gossip: list[Members], random) -> None:
    one, other = MembershipTable("self"), MembershipTable("self")
    shuffled = gossip + random.choices(gossip, k=len(gossip)) if gossip else []
    random.shuffle(shuffled)
    for incoming in gossip:
        one.merge(incoming, now=NOW)
    for incoming in shuffled:
        other.merge(incoming, now=NOW)
    assert one.members == other.members
    assert one.root == other.root


@given(views, views)
def test_two_views_become_one_by_exchanging_snapshots(left: Members, right: Members) -> None:
    one, other = MembershipTable("a"), MembershipTable("b")
    one.merge(left, now=NOW)
    other.merge(right, now=NOW)
    for _ in range(3):  # what one refutes on the first exchange the other hears on the next
        other.merge(one.snapshot(), now=NOW)
        one.merge(other.snapshot(), now=NOW)
    assert one.members == other.members
    assert one.root == other.root


@given(
    st.dictionaries(
        st.text(max_size=34) | st.binary(max_size=17), st.tuples(st.integers(), st.text(), st.floats())
    )
)
def test_any_view_is_joined_or_refused_whole(incoming: dict) -> None:
    table = MembershipTable("self")
    try:
        table.merge(incoming, now=NOW)
    except ValueError:
        assert table.members == {"self": (0, "alive", 0.0)}
