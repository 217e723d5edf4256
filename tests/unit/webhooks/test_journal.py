"""What is written is there after a restart, and not more than is to be kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from palaver.errors import StartError
from palaver.webhooks.journal import Journal
from palaver.webhooks.narrator import Life, Record

URLS = ("http://one", "http://two")


def record(number: int, sid: str = "RM_a", seq: int = 1, ends: bool = False) -> Record:
    return Record(number, Life(sid, "room", 1, seq), 100.0 + number, b'{"n":%d}' % number, ends)


def numbers(journal: Journal, url: str) -> list[int]:
    return [number for number, _, _ in journal.pending(url)]


def test_it_is_all_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "state" / "events.sqlite"
    journal = Journal(path, URLS, 10)
    journal.write([record(1), record(2)], [])
    journal.write([], [("http://one", 1)])
    journal.close()
    assert path.stat().st_mode & 0o777 == 0o600

    again = Journal(path, URLS, 10)
    assert again.last() == 2
    assert numbers(again, "http://one") == [2]
    assert again.pending("http://two") == [(1, "RM_a", 101.0), (2, "RM_a", 102.0)]
    assert again.page(0, 10) == ([(1, b'{"n":1}'), (2, b'{"n":2}')], 1)
    assert again.page(1, 1) == ([(2, b'{"n":2}')], 1)
    assert again.body(1) == b'{"n":1}'
    again.close()


def test_writing_again_changes_nothing() -> None:
    journal = Journal(None, URLS, 10)
    journal.write([record(1)], [])
    journal.write([record(1)], [("http://one", 1), ("http://two", 1)])
    assert numbers(journal, "http://one") == []
    assert journal.page(0, 10)[0] == [(1, b'{"n":1}')]


def test_only_the_newest_are_kept() -> None:
    journal = Journal(None, URLS, 3)
    journal.write([record(number) for number in range(1, 6)], [])
    assert journal.page(0, 10) == ([(n, b'{"n":%d}' % n) for n in (3, 4, 5)], 3)
    assert numbers(journal, "http://one") == [3, 4, 5]
    assert journal.body(1) is None


def test_lives_that_did_not_end_are_known() -> None:
    journal = Journal(None, (), 10)
    journal.write([record(1, "RM_a", 1), record(2, "RM_b", 1), record(3, "RM_a", 2)], [])
    journal.write([record(4, "RM_b", 2, ends=True)], [])
    assert journal.unfinished() == [Life("RM_a", "room", 1, 2)]


def test_a_receiver_that_is_no_longer_named_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "events.sqlite"
    journal = Journal(path, URLS, 10)
    journal.write([record(1)], [])
    journal.close()
    Journal(path, ("http://two",), 10).close()
    again = Journal(path, URLS, 10)
    assert (numbers(again, "http://one"), numbers(again, "http://two")) == ([], [1])
    again.close()


def test_a_full_disk_is_an_os_error_and_all_or_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "events.sqlite", URLS, 10_000)
    fill_up(journal)
    with pytest.raises(OSError, match="full"):
        journal.write([record(number) for number in range(1, 5000)], [])
    assert journal.last() == 0
    journal.close()


def fill_up(journal: Journal) -> None:
    """The file may grow no more."""
    pages = journal._database.execute("PRAGMA page_count").fetchone()[0]
    journal._database.execute(f"PRAGMA max_page_count={pages}")


def test_a_file_that_cannot_be_opened_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"node\.state_dir"):
        Journal(tmp_path, (), 10)
