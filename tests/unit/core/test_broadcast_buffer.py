import pytest

from palaver.core import ArgumentError, BroadcastBuffer, DecodeError, KeyManager, MembershipTable, NodeRecord


def test_each_change_is_told_a_bounded_number_of_times() -> None:
    buffer = BroadcastBuffer(members=50)
    buffer.add_change("a", b"change")
    assert buffer.transmit_limit == 8
    assert [buffer.next_batch() for _ in range(9)] == [[b"change"]] * 8 + [[]]


def test_a_newer_change_of_a_subject_replaces_the_older() -> None:
    buffer = BroadcastBuffer()
    buffer.add_change("a", b"old")
    buffer.next_batch()
    buffer.add_change("a", b"new")
    assert [buffer.next_batch() for _ in range(5)] == [[b"new"]] * 4 + [[]]


def test_the_urgent_goes_first_and_a_packet_is_filled() -> None:
    buffer = BroadcastBuffer()
    buffer.add_change("app", b"x" * 30, "application")
    buffer.add_change("long", b"y" * 80, "gone")
    buffer.add_change("self", b"z" * 40, "refutation")
    assert buffer.next_batch(100) == [b"z" * 40, b"x" * 30]


def test_a_full_buffer_gives_up_what_is_least_urgent() -> None:
    buffer = BroadcastBuffer(2)
    buffer.add_change("a", b"a", "application")
    buffer.add_change("b", b"b", "suspect")
    assert buffer.add_change("c", b"c", "gone")
    assert not buffer.add_change("d", b"d", "application")
    assert buffer.next_batch() == [b"c", b"b"]


def test_news_is_queued_by_what_it_says() -> None:
    keys = KeyManager(bytes(32))
    table, buffer = MembershipTable(keys.node_id), BroadcastBuffer()
    source = MembershipTable("b")
    source.merge({"c": (0, "dead", 0.0), keys.node_id: (3, "suspect", 0.0)})
    news = table.merge_bytes(source.snapshot_bytes()).news + NodeRecord(keys, 4, 0).encode()
    buffer.add_news(news, keys.node_id)
    spread = MembershipTable("z")
    first, second, third, fourth = buffer.next_batch(2000)
    assert spread.merge_bytes(first).changed == {keys.node_id: (4, "alive", 0.0)}
    assert spread.merge_bytes(second).news
    assert spread.record(keys.node_id) is not None
    assert spread.merge_bytes(third).changed == {"c": (0, "dead", 0.0)}
    assert spread.merge_bytes(fourth).changed == {"b": (0, "alive", 0.0)}


def test_malformed_news_is_refused_whole() -> None:
    buffer = BroadcastBuffer()
    with pytest.raises(DecodeError):
        buffer.add_news(MembershipTable("a").snapshot_bytes() + b"?", "b")
    assert len(buffer) == 0


def test_a_withdrawn_change_is_not_told() -> None:
    buffer = BroadcastBuffer()
    buffer.add_change("a", b"a")
    assert buffer.withdraw("a")
    assert not buffer.withdraw("a")
    assert buffer.next_batch() == []


def test_bounds_are_kept() -> None:
    with pytest.raises(ArgumentError, match="a change has at most 1050 bytes"):
        BroadcastBuffer().add_change("a", bytes(1051))
    with pytest.raises(ArgumentError, match="the capacity of a broadcast buffer"):
        BroadcastBuffer(0)
    with pytest.raises(ArgumentError, match="a priority is one of"):
        BroadcastBuffer().add_change("a", b"", "now")  # type: ignore[arg-type]
