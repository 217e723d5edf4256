from pathlib import Path

import pytest

from palaver.core import (
    ArgumentError,
    CapacityError,
    DecodeError,
    KeyManager,
    MembershipTable,
    NodeRecord,
    StateStore,
)


@pytest.fixture
def table() -> MembershipTable:
    keys = KeyManager(bytes(32))
    table = MembershipTable("self")
    table.merge_bytes(NodeRecord(keys, 3, 4, address="10.0.0.1:7946").encode())
    table.update("b", 5, "dead")
    return table


def test_a_view_is_saved_with_its_records_and_loaded(tmp_path: Path, table: MembershipTable) -> None:
    store = StateStore(tmp_path / "state")
    assert store.load_state() is None
    store.save_membership(table, seq=7)
    store.close()
    state = StateStore(tmp_path / "state").load_state()
    assert state is not None
    assert (state.seq, state.is_previous) == (7, False)
    again = MembershipTable("self")
    again.merge_bytes(state.snapshot)
    assert again.root == table.root


def test_a_damaged_view_gives_way_to_the_one_before(tmp_path: Path, table: MembershipTable) -> None:
    store = StateStore(tmp_path)
    store.save_membership(table, seq=1)
    store.save_membership(table, seq=2)
    damaged = bytearray((tmp_path / "state").read_bytes())
    damaged[30] ^= 1
    (tmp_path / "state").write_bytes(damaged)
    state = store.load_state()
    assert state is not None
    assert (state.seq, state.is_previous) == (1, True)
    store.save_membership(table, seq=3)  # the damaged one must not take the place of the good one before
    (tmp_path / "state").unlink()
    state = store.load_state()
    assert state is not None
    assert state.seq == 1


def test_a_crash_between_the_renames_leaves_the_view_before(tmp_path: Path, table: MembershipTable) -> None:
    store = StateStore(tmp_path)
    store.save_membership(table, seq=1)
    (tmp_path / "state").rename(tmp_path / "state.previous")
    (tmp_path / "state.new").write_bytes(b"half")
    state = store.load_state()
    assert state is not None
    assert state.seq == 1
    store.save_membership(table, seq=2)
    state = store.load_state()
    assert state is not None
    assert state.seq == 2


def test_nothing_but_damage_is_an_error(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    (tmp_path / "state").write_bytes(b"damaged")
    with pytest.raises(DecodeError, match="a saved state is damaged"):
        store.load_state()


def test_incarnations_never_go_back_whatever_the_clock_says(tmp_path: Path) -> None:
    last = -1
    for unix_time in (1000.0, 10.0, 1000.0, 0.0, 5000.0):
        store = StateStore(tmp_path)
        first = store.first_incarnation(unix_time=unix_time)
        assert first > last
        assert first >= int(unix_time) << 16
        for last in range(first, first + 3000):
            store.cover_incarnation(last)
        store.close()


def test_an_incarnation_is_reserved_on_disk_before_it_is_used(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    first = store.first_incarnation(unix_time=0.0)
    before = (tmp_path / "incarnation").read_bytes()
    store.cover_incarnation(first + 1024)
    assert (tmp_path / "incarnation").read_bytes() == before
    store.cover_incarnation(first + 1025)
    assert (tmp_path / "incarnation").read_bytes() != before


def test_incarnations_that_are_none_are_not_reserved(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    for beyond in (2**61, 2**64 - 1, 2**70, -1):
        with pytest.raises(ArgumentError, match=r"an incarnation is a whole number from 0 to 2\^61 - 1"):
            store.cover_incarnation(beyond)
    with pytest.raises(ArgumentError, match=r"a Unix time is at most 2\^45 - 1 seconds"):
        store.first_incarnation(unix_time=1e300)
    assert not (tmp_path / "incarnation").exists()


def test_the_last_incarnation_is_given_once(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    store.cover_incarnation(2**61 - 1)
    for _ in range(2):
        with pytest.raises(CapacityError, match="the last incarnation"):
            store.first_incarnation(unix_time=0.0)


def test_a_leftover_that_others_could_read_does_not_make_the_view_readable(
    tmp_path: Path, table: MembershipTable
) -> None:
    store = StateStore(tmp_path)
    (tmp_path / "state.new").touch(mode=0o644)
    (tmp_path / "state.new").chmod(0o644)
    store.save_membership(table)
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o600


def test_an_empty_path_names_no_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArgumentError, match="a path ends in the name"):
        StateStore("")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_reservation_is_not_guessed(tmp_path: Path) -> None:
    (tmp_path / "incarnation").write_bytes(b"damaged!")
    with pytest.raises(DecodeError, match="remove it to go by the clock"):
        StateStore(tmp_path)


def test_a_store_has_one_owner(tmp_path: Path, table: MembershipTable) -> None:
    store = StateStore(tmp_path)
    with pytest.raises(BlockingIOError):
        StateStore(tmp_path)
    store.save_membership(table)
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o600
    store.close()
    with pytest.raises(OSError, match="nothing was acknowledged"):
        store.save_membership(table)
    StateStore(tmp_path)
