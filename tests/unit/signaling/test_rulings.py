"""Bans and revocations: one per identity and place, the longest and strictest, bounded in memory and on disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.plane import Client, Refusal, Stage
from harness.settings import node_settings
from palaver.ledger import MemoryLedger, SqliteLedger
from palaver.ledger.sqlite import CHANGES_KEPT
from palaver.protocol.errors import ProtocolError
from palaver.settings import LiveSettings
from palaver.signaling.rulings import Ruling, Rulings

NOW = 1_700_000_000.0


@pytest.fixture(params=["memory", "sqlite"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MemoryLedger | SqliteLedger]:
    """The same suite for both."""
    made = MemoryLedger() if request.param == "memory" else SqliteLedger(tmp_path / "rulings.sqlite")
    yield made
    made.close()


def rulings_of(ledger: MemoryLedger | SqliteLedger, **limits: int) -> Rulings:
    return Rulings(ledger, LiveSettings(node_settings(limits=limits)))


def ban(id: str, until: float | None, identity: str = "bob", room: str = "room", at: float = NOW) -> Ruling:
    return Ruling(id, "ban", identity, at, "olivia", room, until)


def test_a_longer_ban_prolongs_and_a_shorter_one_changes_nothing(ledger: MemoryLedger | SqliteLedger) -> None:
    far = 4e9  # later than any clock that the ledger looks at
    rulings = rulings_of(ledger)
    assert rulings.add([ban("b1", far)]) == [ban("b1", far)]
    assert rulings.add([ban("b2", far + 60)])[0].until == far + 60
    (held,) = rulings.add([ban("b3", far - 60)])
    assert (held.id, held.until) == ("b1", far + 60)
    assert rulings.add([ban("b4", None)])[0].until is None
    assert rulings.add([ban("b5", far)])[0].until is None
    assert [each.id for each in ledger.load()] == ["b1"]
    later = rulings_of(ledger)
    with pytest.raises(ProtocolError, match="banned"):
        later.check_ban("bob", "room", far + 1e6)
    later.lift("b1")
    assert list(ledger.load()) == []
    later.check_ban("bob", "room", NOW)


def test_bans_of_other_rooms_and_identities_are_their_own(ledger: MemoryLedger | SqliteLedger) -> None:
    rulings = rulings_of(ledger)
    rulings.add([ban("b1", None), ban("b2", None, room=""), ban("b3", None, identity="carol")])
    assert len(rulings) == 3
    rulings.lift("b2")
    with pytest.raises(ProtocolError, match="banned"):
        rulings.check_ban("bob", "room", NOW)
    rulings.check_ban("bob", "elsewhere", NOW)


def test_what_is_over_is_forgotten_on_disk_too(ledger: MemoryLedger | SqliteLedger) -> None:
    soon = 4e9
    rulings = rulings_of(ledger)
    rulings.add([ban(f"b{n}", soon + n, identity=f"i{n}") for n in range(50)])
    rulings.add([ban("last", None, at=soon + 100)])
    assert len(rulings) == 1
    assert [each.id for each in ledger.load()] == ["last"]


def test_a_ban_after_one_that_is_over_begins_afresh(ledger: MemoryLedger | SqliteLedger) -> None:
    rulings = rulings_of(ledger)
    rulings.add([ban("b1", 4e9)])
    assert rulings.add([ban("b2", 4e9 + 60, at=4e9 + 1)])[0].id == "b2"
    assert [each.id for each in ledger.load()] == ["b2"]


def test_rulings_are_capped_and_what_is_over_makes_room(ledger: MemoryLedger | SqliteLedger) -> None:
    rulings = rulings_of(ledger, rulings=5, rulings_per_room=3)
    rulings.add([ban(f"b{n}", 4e9, identity=f"i{n}") for n in range(3)])
    with pytest.raises(ProtocolError, match="at most 3"):
        rulings.add([ban("b3", None, identity="i3")])
    rulings.add([ban(f"c{n}", None, identity=f"i{n}", room="other") for n in range(2)])
    with pytest.raises(ProtocolError, match="at most 5"):
        rulings.add([ban("d", None, room="")])
    assert len(list(ledger.load())) == 5
    rulings.add([ban("b9", 4e9 + 9, identity="i0")])  # of one that is there already
    rulings.add([ban("d", None, room="", at=4e9 + 5)])
    assert len(rulings) == 4


def test_doubles_that_an_earlier_version_kept_become_one(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "rulings.sqlite")
    ledger.record([ban("b1", 4e9), ban("b2", None, at=NOW + 1), ban("b3", 4e9 + 5, at=NOW + 2)])
    rulings = rulings_of(ledger)
    assert [(each.id, each.until) for each in ledger.load()] == [("b1", None)]
    rulings.lift("b1")
    assert list(ledger.load()) == []
    ledger.close()


# --- of several workers, who share a file ---


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[tuple[Rulings, Rulings]]:
    ledgers = [SqliteLedger(tmp_path / "rulings.sqlite") for _ in range(2)]
    first, second = (rulings_of(ledger) for ledger in ledgers)
    yield first, second
    for ledger in ledgers:
        ledger.close()


def test_a_worker_takes_over_what_another_rules_and_lifts(workers: tuple[Rulings, Rulings]) -> None:
    first, second = workers
    first.add([ban("b1", 4e9), ban("b2", None, room="")])
    assert second.catch_up() == [ban("b1", 4e9), ban("b2", None, room="")]
    assert second.catch_up() == [] == first.catch_up()
    with pytest.raises(ProtocolError, match="banned"):
        second.check_ban("bob", "another", NOW)
    second.lift("b2")
    assert first.catch_up() == []
    first.check_ban("bob", "another", NOW)
    first.add([ban("b3", 4e9 + 60)])
    assert [(each.id, each.until) for each in second.catch_up()] == [("b1", 4e9 + 60)]


def test_two_workers_that_rule_at_once_keep_the_same_ruling(workers: tuple[Rulings, Rulings]) -> None:
    first, second = workers
    first.add([ban("b2", 4e9, at=NOW)])
    second.add([ban("b1", None, at=NOW + 1)])
    second.catch_up()
    first.catch_up()
    held = [rulings.bans(NOW) for rulings in (first, second)]
    assert [[(each.id, each.until) for each in bans] for bans in held] == [[("b2", None)]] * 2
    assert first.catch_up() == second.catch_up() == []


def test_a_worker_that_is_far_behind_reads_all_again(
    workers: tuple[Rulings, Rulings], tmp_path: Path
) -> None:
    first, second = workers
    first.add([ban("b1", None), ban("b2", None, identity="carol")])
    second.catch_up()
    first.lift("b1")
    with sqlite3.connect(tmp_path / "rulings.sqlite") as database:
        database.execute("DELETE FROM changes")
    first.add([ban("b3", None, identity="dora")])
    assert second.catch_up() == [ban("b3", None, identity="dora")]
    assert [each.id for each in second.bans(NOW)] == ["b2", "b3"]
    assert second.catch_up() == []


def test_few_changes_are_kept(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "rulings.sqlite")
    ledger.record([ban(f"b{number}", NOW, identity=str(number)) for number in range(CHANGES_KEPT)])
    ledger.purge(NOW)
    with closing(sqlite3.connect(tmp_path / "rulings.sqlite")) as database:
        assert database.execute("SELECT count(*), max(number) FROM changes").fetchone() == (
            CHANGES_KEPT,
            2 * CHANGES_KEPT,
        )
    ledger.close()


def test_a_file_of_an_earlier_version_is_shared_as_well(tmp_path: Path) -> None:
    path = tmp_path / "rulings.sqlite"
    SqliteLedger(path).close()
    with closing(sqlite3.connect(path)) as database:
        database.executescript(
            "DROP TRIGGER rulings_insert; DROP TRIGGER rulings_delete; DROP TABLE changes; PRAGMA user_version = 1"
        )
    ledgers = [SqliteLedger(path) for _ in range(2)]
    first, second = (rulings_of(ledger) for ledger in ledgers)
    first.add([ban("b1", None)])
    assert second.catch_up() == [ban("b1", None)]
    for ledger in ledgers:
        ledger.close()


times = st.none() | st.integers(1, 10).map(lambda n: NOW + n)


@given(untils=st.lists(times, min_size=1, max_size=6))
def test_joined_bans_end_with_the_last_of_them(untils: list[float | None]) -> None:
    rulings = rulings_of(MemoryLedger())
    for number, until in enumerate(untils):
        rulings.add([ban(f"b{number}", until)])
    (held,) = rulings.bans(NOW)
    ends = [each for each in untils if each is not None]
    assert held.until == (None if None in untils else max(ends))


@given(befores=st.lists(st.floats(1, 1e9), min_size=1, max_size=6))
def test_joined_revocations_void_what_each_of_them_voids(befores: list[float]) -> None:
    rulings = rulings_of(MemoryLedger())
    held: list[Ruling] = []
    for number, before in enumerate(befores):
        held = rulings.add([Ruling(f"r{number}", "revoke", "bob", NOW, "olivia", before=before)])
    assert held[0].before == max(befores)
    assert len(rulings) == 1


# --- as moderators ask for it ---


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def owner(stage: Stage) -> Client:
    return stage.enter("olivia", role="owner")


def test_banning_again_and_again_keeps_one_ban(stage: Stage, owner: Client) -> None:
    first = owner.call("kickUser", identity="bob", ban={"ttlS": 60})
    for _ in range(20):
        assert (
            owner.call("kickUser", identity="bob", ban={"ttlS": 600}, revokeBefore=5)["banId"]
            == first["banId"]
        )
    assert len(stage.plane.rulings) == 2
    stage.advance(100)
    with pytest.raises(Refusal, match="banned") as refused:
        stage.enter("bob")
    assert refused.value.data["afterMs"] == 500_000


def test_a_kick_names_either_a_peer_or_an_identity(stage: Stage, owner: Client) -> None:
    bob = stage.enter("bob")
    for params in ({}, {"peer": bob.peer, "identity": "bob"}, {"peer": bob.peer, "identity": "other"}):
        with pytest.raises(Refusal, match="invalid_params"):
            owner.call("kickUser", **params)
    assert bob.closed is None


def test_a_kick_ends_the_stay_in_its_room_only(stage: Stage, owner: Client) -> None:
    here, there = stage.enter("bob"), stage.enter("bob", room="elsewhere")
    assert owner.call("kickUser", identity="bob")["kicked"] is True
    assert (here.closed is not None, there.closed) == (True, None)
    again = stage.enter("bob")
    owner.call("kickUser", identity="bob", ban={"scope": "room"})
    assert (again.closed is not None, there.closed) == (True, None)


def test_a_ban_from_everywhere_ends_all_stays_by_nobody_whom_they_know(stage: Stage, owner: Client) -> None:
    here, there = stage.enter("bob"), stage.enter("bob", room="elsewhere")
    witness = stage.enter("carol", room="elsewhere")
    assert owner.call("kickUser", peer=here.peer, ban={"scope": "all"})["kicked"] is True
    assert here.take("youKicked")[0]["by"] == owner.peer
    assert there.take("youKicked")[0]["by"] == "hidden"
    assert [each["by"] for each in witness.take("peerLeft")] == ["hidden"]
    assert (here.closed or there.closed) is not None


def test_who_is_absent_here_and_kicked_elsewhere_was_kicked(stage: Stage, owner: Client) -> None:
    there = stage.enter("bob", room="elsewhere")
    assert owner.call("kickUser", identity="bob", ban={"scope": "all"})["kicked"] is True
    assert there.closed is not None


@pytest.mark.parametrize("more", [{"ban": {"scope": "all"}}, {"revokeBefore": 1e10}])
def test_nobody_kicks_above_their_role_in_another_room(stage: Stage, more: dict[str, object]) -> None:
    moderator = stage.enter("mo", role="moderator")
    here, there = stage.enter("bob"), stage.enter("bob", room="elsewhere", role="owner")
    stage.advance(2)
    with pytest.raises(Refusal, match="forbidden"):
        moderator.call("kickUser", peer=here.peer, **more)
    assert here.closed is there.closed is None
    assert len(stage.plane.rulings) == 0
    moderator.call("kickUser", peer=here.peer, ban={"scope": "room"})
    assert there.closed is None
