"""SqliteLedger: rulings in an SQLite file (WAL journal, synchronous FULL): `record` comes back when they are on disk.

The workers of a node share one file. Triggers note the id of each ruling that is written or deleted in a table of changes, of
which each process remembers how far it has read; whether there is something to read is told by PRAGMA data_version, two
microseconds.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from palaver.errors import StartError
from palaver.signaling.rulings import Ruling

log = logging.getLogger(__name__)

VERSION: Final = 2
"""Of the file (PRAGMA user_version): 2 has a table of changes, 1 a checksum for each ruling, 0 had none."""
CHANGES_KEPT: Final = 10_000
"""Who is further behind reads all rulings again."""
PROBE_SECONDS: Final = 1.0
"""How often it is looked, at most, whether a disk that failed takes rulings again."""


class SqliteLedger:
    """One file, mode 0600, for one node and its workers. `close` when done."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Opens or makes the file. Raises StartError where that cannot be done, another process keeps it locked, or it is
        damaged. Where several processes share a new one, the first is to be done with this before the others begin."""
        self._path = path
        self._clock = clock
        self._problem: str | None = None
        self._next_probe = 0.0
        self._seen = self._data_version = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            self._database = sqlite3.connect(path, isolation_level=None, timeout=2.0)
            self._prepare()
        except sqlite3.DatabaseError as error:
            if not isinstance(error, sqlite3.OperationalError):  # not the disk: what is on it
                raise self._damaged(str(error)) from error
            raise self._unusable(error) from error
        except UnicodeDecodeError as error:  # of a name in the schema
            raise self._damaged(str(error)) from error
        except OSError as error:
            raise self._unusable(error) from error

    def _prepare(self) -> None:
        database = self._database
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        (state,) = database.execute("PRAGMA integrity_check(1)").fetchone()
        if state != "ok":
            raise self._damaged(str(state))
        database.execute(
            "CREATE TABLE IF NOT EXISTS rulings (id TEXT PRIMARY KEY, until REAL, body BLOB NOT NULL) STRICT"
        )
        database.execute("CREATE INDEX IF NOT EXISTS rulings_until ON rulings (until)")
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version == 0:
            columns = [row[1] for row in database.execute("PRAGMA table_info(rulings)")]
            if "checksum" not in columns:
                database.execute("ALTER TABLE rulings ADD COLUMN checksum INTEGER")
        elif version not in (1, VERSION):
            raise self._damaged(f"it says that it is of version {version}")
        database.execute(
            "CREATE TABLE IF NOT EXISTS changes (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL) STRICT"
        )
        for event, row in (("INSERT", "new"), ("DELETE", "old")):
            database.execute(
                f"CREATE TRIGGER IF NOT EXISTS rulings_{event.lower()} AFTER {event} ON rulings BEGIN "
                f"INSERT INTO changes (id) VALUES ({row}.id); "
                f"DELETE FROM changes WHERE number <= last_insert_rowid() - {CHANGES_KEPT}; END"
            )
        if version != VERSION:
            database.execute(f"PRAGMA user_version = {VERSION}")

    def load(self) -> Iterable[Ruling]:
        """Forgets the rulings that are over, returns the others. Raises StartError where one is not as it was written."""
        now = time.time()
        kept: list[Ruling] = []
        over: list[Ruling] = []
        try:
            # First: what changes in between is read twice, and not missed.
            (self._data_version,) = self._database.execute("PRAGMA data_version").fetchone()
            (self._seen,) = self._database.execute("SELECT coalesce(max(number), 0) FROM changes").fetchone()
            for row in self._database.execute("SELECT id, until, body, checksum FROM rulings").fetchall():
                ruling = self._read(*row)
                (over if ruling.is_over(now) else kept).append(ruling)
            self._database.executemany("DELETE FROM rulings WHERE id = ?", [(each.id,) for each in over])
        except sqlite3.OperationalError as error:
            raise self._unusable(error) from error
        except (sqlite3.Error, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._damaged(str(error)) from error
        return kept

    def record(self, rulings: Sequence[Ruling]) -> None:
        rows = []
        for each in rulings:
            body = msgspec.json.encode(each)
            rows.append((each.id, each.until, body, _checksum(each.id, each.until, body)))
        self._durably("INSERT OR REPLACE INTO rulings (id, until, body, checksum) VALUES (?, ?, ?, ?)", rows)

    def erase(self, id: str) -> None:
        self._durably("DELETE FROM rulings WHERE id = ?", [(id,)])

    def purge(self, now: float) -> None:
        self._durably("DELETE FROM rulings WHERE until <= ?", [(now,)])

    def news(self) -> Mapping[str, Ruling | None] | None:
        database = self._database
        try:
            (version,) = database.execute("PRAGMA data_version").fetchone()
            if version == self._data_version:  # nobody but ourselves has written
                return {}
            changes = database.execute(
                "SELECT number, id FROM changes WHERE number > ? ORDER BY number", (self._seen,)
            ).fetchall()
            if changes and changes[0][0] > self._seen + 1:
                return None
            found: dict[str, Ruling | None] = {}
            for _, id in changes:
                row = database.execute(
                    "SELECT id, until, body, checksum FROM rulings WHERE id = ?", (id,)
                ).fetchone()
                found[id] = None if row is None else self._read(*row)
        except (sqlite3.Error, msgspec.DecodeError, UnicodeDecodeError, StartError) as error:
            self._fails(error)
            return {}
        self._data_version = version
        self._seen = changes[-1][0] if changes else self._seen
        return found

    def _read(self, id: str, until: float | None, body: bytes, checksum: int | None) -> Ruling:
        """One row as a ruling. Raises StartError where it is not as it was written."""
        if checksum is not None and checksum != _checksum(id, until, body):
            raise self._damaged(f"the ruling {id!r} is not as it was written")
        return msgspec.json.decode(body, type=Ruling)

    def why_not_ready(self) -> str | None:
        """One sentence while rulings cannot be kept. Tries again whether they can, at most once in PROBE_SECONDS."""
        if self._problem is not None and self._clock() >= self._next_probe:
            self._next_probe = self._clock() + PROBE_SECONDS
            with contextlib.suppress(OSError):
                self._durably(f"PRAGMA user_version = {VERSION}", [()])
        return self._problem

    def close(self) -> None:
        self._database.close()

    def _durably(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        """All or nothing, and on disk. Raises OSError."""
        database = self._database
        try:
            with database:  # commits, or rolls back
                database.execute("BEGIN IMMEDIATE")
                for row in rows:
                    database.execute(statement, row)
        except sqlite3.Error as error:
            self._fails(error)
            raise OSError(errno.EIO, str(error)) from error
        if self._problem is not None:
            log.info("rulings can be kept again")
            self._problem = None

    def _fails(self, error: Exception) -> None:
        if self._problem is None:
            log.error("rulings cannot be kept", extra={"reason": str(error)})
        self._problem = f"rulings cannot be kept: {error}"

    def _unusable(self, error: Exception) -> StartError:
        return StartError(
            f"cannot keep rulings in {self._path}: {error}; set node.state_dir to a writable folder"
        )

    def _damaged(self, why: str) -> StartError:
        return StartError(
            f"the rulings in {self._path} are damaged: {why}; restore the file, or move it away to begin without bans"
        )


def _checksum(id: str, until: float | None, body: bytes) -> int:
    end = None if until is None else float(until)  # as a REAL column gives it back
    return zlib.crc32(body, zlib.crc32(f"{id}\n{end!r}\n".encode()))
