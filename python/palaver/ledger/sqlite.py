"""SqliteLedger: rulings in an SQLite file (WAL journal, synchronous FULL): `record` comes back when they are on disk."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from palaver.errors import StartError
from palaver.signaling.rulings import Ruling

log = logging.getLogger(__name__)

VERSION: Final = 1
"""Of the file (PRAGMA user_version): 1 has a checksum for each ruling, 0 had none."""
PROBE_SECONDS: Final = 1.0
"""How often it is looked, at most, whether a disk that failed takes rulings again."""


class SqliteLedger:
    """One file, mode 0600, one writer. `close` when done."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Opens or makes the file. Raises StartError where that cannot be done, another process has it, or it is damaged."""
        self._path = path
        self._clock = clock
        self._problem: str | None = None
        self._next_probe = 0.0
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
            database.execute(f"PRAGMA user_version = {VERSION}")
        elif version != VERSION:
            raise self._damaged(f"it says that it is of version {version}")

    def load(self) -> Iterable[Ruling]:
        """Forgets the rulings that are over, returns the others. Raises StartError where one is not as it was written."""
        now = time.time()
        kept: list[Ruling] = []
        over: list[Ruling] = []
        try:
            rows = self._database.execute("SELECT id, until, body, checksum FROM rulings").fetchall()
            for id, until, body, checksum in rows:
                if checksum is not None and checksum != _checksum(id, until, body):
                    raise self._damaged(f"the ruling {id!r} is not as it was written")
                ruling = msgspec.json.decode(body, type=Ruling)
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
            database.execute("BEGIN IMMEDIATE")
            try:
                for row in rows:
                    database.execute(statement, row)
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            if self._problem is None:
                log.error("rulings cannot be kept", extra={"reason": str(error)})
            self._problem = f"rulings cannot be kept: {error}"
            raise OSError(errno.EIO, str(error)) from error
        if self._problem is not None:
            log.info("rulings can be kept again")
            self._problem = None

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
