"""SqliteLedger: rulings in an SQLite file (WAL journal, synchronous FULL): `record` comes back when they are on disk."""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from palaver.errors import StartError
from palaver.signaling.rulings import Ruling


class SqliteLedger:
    """One file, mode 0600, one writer. `close` when done."""

    def __init__(self, path: Path) -> None:
        """Opens or makes the file. Raises StartError where that cannot be done or another process has it."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            self._database = sqlite3.connect(path, isolation_level=None, timeout=2.0)
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=FULL")
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS rulings (id TEXT PRIMARY KEY, until REAL, body BLOB NOT NULL) STRICT"
            )
            self._database.execute("CREATE INDEX IF NOT EXISTS rulings_until ON rulings (until)")
        except (OSError, sqlite3.Error) as error:
            raise StartError(
                f"cannot keep rulings in {path}: {error}; set node.state_dir to a writable folder"
            ) from error

    def load(self) -> Iterable[Ruling]:
        """Forgets the rulings that are over, returns the others."""
        self._database.execute("DELETE FROM rulings WHERE until <= ?", (time.time(),))
        rows = self._database.execute("SELECT body FROM rulings").fetchall()
        return [msgspec.json.decode(body, type=Ruling) for (body,) in rows]

    def record(self, rulings: Sequence[Ruling]) -> None:
        rows = [(each.id, each.until, msgspec.json.encode(each)) for each in rulings]
        try:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                self._database.executemany("INSERT OR REPLACE INTO rulings VALUES (?, ?, ?)", rows)
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise OSError(errno.EIO, str(error)) from error

    def erase(self, id: str) -> None:
        self._delete("id = ?", id)

    def purge(self, now: float) -> None:
        self._delete("until <= ?", now)

    def _delete(self, where: str, value: str | float) -> None:
        try:
            self._database.execute(f"DELETE FROM rulings WHERE {where}", (value,))
        except sqlite3.Error as error:
            raise OSError(errno.EIO, str(error)) from error

    def close(self) -> None:
        self._database.close()
