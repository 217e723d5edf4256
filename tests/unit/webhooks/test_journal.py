"""What is written is there after a restart, and not more than is to be kept."""

from __future__ import annotations

import subprocess
import sys
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


def test_what_was_acknowledged_outlives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "events.sqlite"
    endless = f"""
import itertools
from pathlib import Path
from palaver.webhooks.journal import Journal
from palaver.webhooks.narrator import Life, Record
journal = Journal(Path({str(path)!r}), {URLS!r}, 100000)
for number in itertools.count(1):
    journal.write([Record(number, Life("RM_a", "room", 1, number), 0.0, b"{{}}")], [])
    print(number, flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", endless], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        said = 0
        while said < 50:
            said = int(writer.stdout.readline())
        writer.kill()
        rest = writer.stdout.read().split("\n")[:-1]  # the last line may be cut
    said = max([said, *map(int, rest)])
    journal = Journal(path, URLS, 100_000)
    assert journal.last() in (said, said + 1)
    assert numbers(journal, "http://one") == list(range(1, journal.last() + 1))
    assert journal.unfinished() == [Life("RM_a", "room", 1, journal.last())]
    journal.close()
