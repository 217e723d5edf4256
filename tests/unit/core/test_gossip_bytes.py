import pytest

from palaver.core import (
    ArgumentError,
    Beat,
    DecodeError,
    KeyManager,
    MembershipTable,
    NodeMetadata,
    NodeRecord,
    SignatureError,
)


@pytest.fixture
def keys() -> KeyManager:
    return KeyManager(bytes(32))


def test_a_node_announces_itself_and_others_learn_where_it_is(keys: KeyManager) -> None:
    own, other = MembershipTable(keys.node_id), MembershipTable("other")
    place = NodeMetadata("eu", "a")
    record = NodeRecord(keys, 3, 1_700_000_000_000, name="alpha", address="10.0.0.1:7946", metadata=place)
    news = own.merge_bytes(record.encode()).news
    assert other.merge_bytes(news).changed == {keys.node_id: (3, "alive", 0.0)}
    known = other.record(keys.node_id)
    assert known == record
    assert known is not None
    assert (known.name, known.address, known.metadata) == ("alpha", "10.0.0.1:7946", place)
    assert other.record("other") is None


def test_views_agree_after_exchanging_differences() -> None:
    one, other = MembershipTable("one"), MembershipTable("other")
    one.merge({f"a{n}": (n, "alive", 0.0) for n in range(50)})
    other.merge({f"a{n}": (1, "suspect", 0.0) for n in range(25, 75)})
    to_other, to_one = one.difference(other.buckets), other.difference(one.buckets)
    one.merge_bytes(to_one)
    other.merge_bytes(to_other)
    assert one.root == other.root
    assert one.snapshot_bytes() == other.snapshot_bytes()
    assert one.difference(other.buckets) == b""


def test_bytes_and_dict_say_the_same() -> None:
    source, by_bytes, by_dict = MembershipTable("a"), MembershipTable("b"), MembershipTable("b")
    source.merge({"c": (4, "left", 0.0), "b": (2, "dead", 0.0)})
    assert by_bytes.merge_bytes(source.snapshot_bytes()).changed == by_dict.merge(source.snapshot())
    assert by_bytes.members == by_dict.members


def test_malformed_bytes_are_refused() -> None:
    table = MembershipTable("a")
    with pytest.raises(DecodeError, match="the bytes end within a record; nothing was changed"):
        table.merge_bytes(b"\x01\x18\x00short")


def test_a_forged_record_is_refused(keys: KeyManager) -> None:
    forged = bytearray(NodeRecord(keys, 0, 0).encode())
    forged[-1] ^= 1
    table = MembershipTable("a")
    with pytest.raises(SignatureError, match="nothing was changed"):
        table.merge_bytes(bytes(forged))
    assert len(table) == 1


def test_two_records_for_one_moment_are_proof_of_a_lie(keys: KeyManager) -> None:
    one, other = NodeRecord(keys, 0, 5, name="x"), NodeRecord(keys, 0, 5, name="y")
    table = MembershipTable("a")
    table.merge_bytes(one.encode())
    assert table.merge_bytes(other.encode()).equivocations == [(one, other)]


def test_only_alive_and_left_are_a_nodes_own_to_say(keys: KeyManager) -> None:
    with pytest.raises(ArgumentError, match="alive or has left"):
        NodeRecord(keys, 0, 0, status="dead")
    with pytest.raises(ArgumentError, match="a name is at most 255 bytes"):
        NodeRecord(keys, 0, 0, name="n" * 256)


def test_bucket_sums_of_another_size_are_refused() -> None:
    with pytest.raises(ArgumentError, match="has 4096 bytes, not 5"):
        MembershipTable("a").difference(b"short")


def test_a_beat_tells_how_a_node_is_doing_and_that_it_lives(keys: KeyManager) -> None:
    table = MembershipTable("a")
    beat = Beat(keys, 2, 1, load=250, sessions=80, draining=True)
    merged = table.merge_bytes(beat.encode(), now=5.0)
    assert merged.changed == {keys.node_id: (2, "alive", 5.0)}
    assert table.beat(keys.node_id) == beat
    assert (beat.load, beat.sessions, beat.draining, beat.seq) == (250, 80, True, 1)
    assert table.merge_bytes(Beat(keys, 2, 0).encode(), now=6.0).news == b""
    assert table.beat("a") is None


def test_a_forged_beat_is_refused(keys: KeyManager) -> None:
    forged = bytearray(Beat(keys, 0, 1).encode())
    forged[60] ^= 1
    with pytest.raises(SignatureError):
        MembershipTable("a").merge_bytes(bytes(forged))
