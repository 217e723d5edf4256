import threading

import pytest

from palaver.core import ArgumentError, CapacityError, CoreError, MembershipTable
from palaver.errors import PalaverError


@pytest.fixture
def table() -> MembershipTable:
    return MembershipTable("self")


def test_a_new_table_knows_its_own_node_alive(table: MembershipTable) -> None:
    assert table.members == {"self": (0, "alive", 0.0)}
    assert table.self_node_id == "self"


def test_merge_returns_only_the_news(table: MembershipTable) -> None:
    assert table.merge({"a": (1, "alive", 3.0)}, now=9.0) == {"a": (1, "alive", 3.0)}
    assert table.merge({"a": (1, "alive", 5.0), "b": (0, "dead", 0.0)}, now=9.0) == {"b": (0, "dead", 0.0)}
    assert table.members["a"] == (1, "alive", 5.0)


def test_a_suspicion_of_oneself_is_refuted_at_the_next_incarnation(table: MembershipTable) -> None:
    assert table.merge({"self": (4, "suspect", 0.0)}, now=1.0) == {"self": (5, "alive", 0.0)}


def test_a_stale_suspicion_does_not_raise_the_incarnation(table: MembershipTable) -> None:
    table.update("self", 5)
    assert table.merge({"self": (4, "dead", 0.0)}, now=1.0) == {}


def test_whoever_says_it_left_stays_left(table: MembershipTable) -> None:
    assert table.update("self", status="left")
    table.merge({"self": (3, "suspect", 0.0)})
    assert table.get("self") == (3, "left", 0.0)


def test_update_without_more_is_a_heartbeat(table: MembershipTable) -> None:
    assert table.update("a", now=2.0)
    assert not table.update("a", now=7.0)
    assert table.get("a") == (0, "alive", 7.0)


def test_update_keeps_the_incarnation_a_node_is_known_at(table: MembershipTable) -> None:
    table.merge({"a": (6, "alive", 1.0)}, now=1.0)
    assert table.update("a", status="suspect", now=2.0)
    assert table.get("a") == (6, "suspect", 1.0)


def test_a_heartbeat_from_the_future_counts_as_now(table: MembershipTable) -> None:
    table.merge({"a": (0, "alive", 1e12)}, now=2.0)
    assert table.members["a"][2] == 2.0


def test_rows_may_be_lists_and_ids_bytes(table: MembershipTable) -> None:
    table.merge({b"\x01" * 16: [0, "alive", 0]})  # type: ignore[dict-item]  # what JSON and other programs hand in
    assert "01" * 16 in table
    assert bytes([1] * 16) in table


def test_equal_views_have_equal_roots(table: MembershipTable) -> None:
    other = MembershipTable("other")
    assert table.root != other.root
    table.merge(other.snapshot())
    other.merge(table.snapshot())
    assert table.root == other.root
    assert len(table.root) == 16


def test_tombstones_are_kept_for_their_age_and_then_forgotten(table: MembershipTable) -> None:
    table.merge({"a": (0, "dead", 0.0), "b": (0, "alive", 0.0)}, now=100.0)
    assert table.expire(now=100.0 + 86399) == []
    assert table.expire(now=100.0 + 86400) == ["a"]
    assert table.members.keys() == {"self", "b"}


@pytest.mark.parametrize(
    ("incoming", "rule"),
    [
        ({"": (0, "alive", 0.0)}, "a node id is a text of 1 to 128 characters"),
        ({"a\n": (0, "alive", 0.0)}, "none of them a control character"),
        ({b"short": (0, "alive", 0.0)}, "has 16 of them, not 5"),
        ({"a": (-1, "alive", 0.0)}, "an incarnation is a whole number from 0"),
        ({"a": (2**61 - 1, "dead", 0.0)}, "at the last one a node can only be alive or banned"),
        ({"a": (2**61, "alive", 0.0)}, "an incarnation is a whole number from 0"),
        ({"a": (0, "zombie", 0.0)}, "a status is one of alive, suspect"),
        ({"a": (0, "alive", float("nan"))}, "a time is a finite number"),
        ({"a": (0, "alive", -1.0)}, "a time is a finite number"),
    ],
)
def test_a_bad_row_is_refused_and_nothing_is_joined(
    table: MembershipTable, incoming: dict, rule: str
) -> None:
    with pytest.raises(ArgumentError, match=f"{rule}.*nothing was changed"):
        table.merge({"good": (0, "alive", 0.0)} | incoming)
    assert "good" not in table


@pytest.mark.parametrize(
    "row", [(0, "alive"), "abc", None, (0.5, "alive", 0.0), (0, 1, 0.0), (0, "alive", "x")]
)
def test_a_row_of_another_type_is_a_type_error(table: MembershipTable, row: object) -> None:
    with pytest.raises(TypeError, match="nothing was changed"):
        table.merge({"good": (0, "alive", 0.0), "a": row})  # type: ignore[dict-item]
    assert "good" not in table


def test_a_full_table_refuses_strangers_and_still_hears_of_members() -> None:
    table = MembershipTable("self", max_members=2)
    table.update("a")
    with pytest.raises(CapacityError, match="membership table is full: it may hold 2"):
        table.merge({"a": (1, "alive", 0.0), "b": (0, "alive", 0.0)})
    assert table.get("a") is not None
    assert table.members["a"][0] == 0
    assert table.merge({"a": (1, "alive", 0.0)}).keys() == {"a"}


@pytest.mark.parametrize("limit", [0, -1, 2**40])
def test_a_bound_that_makes_no_sense_is_refused(limit: int) -> None:
    with pytest.raises(ArgumentError):
        MembershipTable("self", max_members=limit)


def test_one_tree_of_errors() -> None:
    assert issubclass(CapacityError, CoreError)
    assert issubclass(ArgumentError, CoreError)
    assert issubclass(CoreError, ValueError)
    assert issubclass(CoreError, PalaverError)


def test_repr_shows_whose_table_it_is(table: MembershipTable) -> None:
    assert repr(table).startswith('MembershipTable("self", 1 members, 1 alive, root ')


def test_threads_share_a_table(table: MembershipTable) -> None:
    def work(worker: int) -> None:
        for n in range(300):
            table.merge({f"n{n}": (worker, "alive", 0.0)}, now=1.0)
            table.snapshot()

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(table) == 301
    assert {row[0] for node_id, row in table.members.items() if node_id != "self"} == {3}
