"""Journal: events in an SQLite file, and which of them each receiver still waits for. Blocking: call it in a thread.

WAL journal, synchronous FULL: what `write` came back for is on disk.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from palaver.errors import StartError
from palaver.webhooks.narrator import Life, Record

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS events (number INTEGER PRIMARY KEY, life TEXT NOT NULL, created REAL NOT NULL,
                                   body BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS pending (url TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (url, number))
                                   STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lives (sid TEXT PRIMARY KEY, room TEXT NOT NULL, epoch INTEGER NOT NULL,
                                  seq INTEGER NOT NULL) STRICT;
"""

Settled = tuple[str, int]
"""A receiver, and the number of an event that it no longer waits for."""


class Journal:
    """One file, mode 0600, one writer; without a path in memory. Keeps the newest `keep` events, sent or not."""

    def __init__(self, path: Path | None, urls: Sequence[str], keep: int) -> None:
        """Raises StartError where the file cannot be used."""
        self._urls = tuple(dict.fromkeys(urls))
        self._keep = keep
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            self._database = sqlite3.connect(
                path or ":memory:", isolation_level=None, timeout=2.0, check_same_thread=False
            )
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=FULL")
            self._database.executescript(SCHEMA)
            known = [url for (url,) in self._database.execute("SELECT DISTINCT url FROM pending").fetchall()]
            for url in set(known) - set(self._urls):
                self._database.execute("DELETE FROM pending WHERE url = ?", (url,))
        except (OSError, sqlite3.Error) as error:
            raise StartError(
                f"cannot keep events in {path}: {error}; set node.state_dir to a writable folder"
            ) from error

    def last(self) -> int:
        """The number of the newest event; 0 where there is none."""
        (number,) = self._database.execute("SELECT coalesce(max(number), 0) FROM events").fetchone()
        return int(number)

    def unfinished(self) -> list[Life]:
        """Lives of rooms whose end was not written."""
        rows = self._database.execute("SELECT sid, room, epoch, seq FROM lives ORDER BY sid").fetchall()
        return [Life(*row) for row in rows]

    def pending(self, url: str) -> list[tuple[int, str, float]]:
        """(number, life, created) of what this receiver still waits for, oldest first."""
        return self._database.execute(
            "SELECT number, life, created FROM pending JOIN events USING (number) WHERE url = ? ORDER BY number",
            (url,),
        ).fetchall()

    def body(self, number: int) -> bytes | None:
        """None where it had to go meanwhile."""
        row = self._database.execute("SELECT body FROM events WHERE number = ?", (number,)).fetchone()
        return None if row is None else row[0]

    def page(self, after: int, limit: int) -> tuple[list[tuple[int, bytes]], int]:
        """The events after a number, oldest first, and the number of the oldest that is kept (0: none)."""
        rows = self._database.execute(
            "SELECT number, body FROM events WHERE number > ? ORDER BY number LIMIT ?", (after, limit)
        ).fetchall()
        (oldest,) = self._database.execute("SELECT coalesce(min(number), 0) FROM events").fetchone()
        return rows, int(oldest)

    def write(self, records: Sequence[Record], settled: Sequence[Settled]) -> None:
        """All or nothing; doing it again changes nothing. Raises OSError where it cannot be kept."""
        database = self._database
        try:
            with database:  # commits, or rolls back
                database.execute("BEGIN IMMEDIATE")
                self._write(records, settled)
        except sqlite3.Error as error:
            raise OSError(errno.EIO, str(error)) from error

    def _write(self, records: Sequence[Record], settled: Sequence[Settled]) -> None:
        database = self._database
        for each in records:
            life = each.life
            database.execute(
                "INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?)",
                (each.number, life.sid, each.created, each.body),
            )
            database.executemany(
                "INSERT OR IGNORE INTO pending VALUES (?, ?)", [(url, each.number) for url in self._urls]
            )
            if each.ends:
                database.execute("DELETE FROM lives WHERE sid = ?", (life.sid,))
            else:
                row = (life.sid, life.room, life.epoch, life.seq)
                database.execute("INSERT OR REPLACE INTO lives VALUES (?, ?, ?, ?)", row)
        database.executemany("DELETE FROM pending WHERE url = ? AND number = ?", settled)
        if records:
            oldest = records[-1].number - self._keep
            database.execute("DELETE FROM events WHERE number <= ?", (oldest,))
            for url in self._urls:
                database.execute("DELETE FROM pending WHERE url = ? AND number <= ?", (url, oldest))

    def close(self) -> None:
        self._database.close()
