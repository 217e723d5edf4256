"""A log and a store on disks that are full or fail: an error each time, and never an acknowledgement that is not true.

The disks are real or next to it: a tmpfs of 64 KiB in a mount namespace of its own, and a library that is loaded before libc
and fails the calls that it is told to (``tests/harness/failing_disk.c``).
"""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.failing_disk import FailingDisk
from palaver.core import WriteAheadLog

Run = Callable[[str], list[str]]

PRELUDE = """
import sys, threading, time
from pathlib import Path
from palaver.core import MembershipTable, StateStore, WriteAheadLog
here, disk = map(Path, sys.argv[1:])

def tried(call, *arguments):
    try:
        call(*arguments)
    except OSError as error:
        return error.errno
    return "acknowledged"

def fails(what):
    (disk / what).touch()

def works(what):
    (disk / what).unlink()

def changes(log):
    return [change.decode() for _, _, change in log.replay()]
"""


@pytest.fixture
def run(disk: FailingDisk) -> Run:
    """Runs a script in a process whose disk fails when told to; what it printed, line by line."""
    return lambda script: disk.run(PRELUDE + script)


def test_after_a_failed_fsync_a_log_acknowledges_nothing_though_the_next_one_would_succeed(run: Run) -> None:
    said = run("""
log = WriteAheadLog(here / "log", policy="always")
log.append(b"durable")
fails("fdatasync")
print(tried(log.append, b"lost"))
works("fdatasync")
print(tried(log.append, b"later"), tried(log.sync), tried(log.reset), tried(log.replay))
""")
    assert said == ["5", "9 9 9 9"]  # EIO, then EBADF: open it again


def test_what_a_log_replays_after_a_failed_fsync_is_durable(disk: FailingDisk, run: Run) -> None:
    run("""
log = WriteAheadLog(here / "log", policy="always")
log.append(b"durable")
fails("fdatasync")
tried(log.append, b"clean in the cache, and not on the disk")
""")
    log = disk.files / "log"
    held = disk.switches / "held" / str(log.stat().st_ino)
    assert held.read_bytes() != log.read_bytes()  # the library fails as it should
    disk.mend("fdatasync")
    (replayed,) = run("""
with WriteAheadLog(here / "log") as log:
    print(changes(log))
""")
    assert replayed == "['durable', 'clean in the cache, and not on the disk']"
    held = disk.switches / "held" / str(log.stat().st_ino)
    assert held.read_bytes() == log.read_bytes()


def test_a_log_whose_fsync_fails_within_the_interval_says_so_at_the_next_append(run: Run) -> None:
    said = run("""
log = WriteAheadLog(here / "log", policy="interval", interval=0.0)
fails("fdatasync")
print(tried(log.append, b"lost"), tried(log.close))
with WriteAheadLog(here / "quiet", policy="interval", interval=1000.0) as quiet:
    print(tried(quiet.append, b"not forced yet"), tried(quiet.sync), tried(quiet.append, b"x"))
""")
    assert said == ["5 acknowledged", "acknowledged 5 9"]


def test_appends_go_on_while_the_disk_is_busy_with_what_came_before(run: Run) -> None:
    said = run("""
log = WriteAheadLog(here / "log", interval=60)
log.append(b"one")
(disk / "busy").touch()
sync = threading.Thread(target=log.sync)
sync.start()
while not (disk / "syncing").exists():
    time.sleep(0.001)
print(log.append(b"two"), log.is_synced)
(disk / "busy").unlink()
sync.join()
print(log.is_synced)
log.sync()
print(log.is_synced, changes(log))
""")
    assert said == ["2 False", "False", "True ['one', 'two']"]


def test_half_a_write_is_taken_back(run: Run, tmp_path: Path) -> None:
    said = run("""
log = WriteAheadLog(here / "log", policy="always")
log.append(b"before")
fails("write")
print(tried(log.append, b"half of this is written"))
works("write")
log.append(b"after")
print(changes(log))
""")
    assert said == ["5", "['before', 'after']"]
    with WriteAheadLog(tmp_path / "files" / "log") as log:
        assert log.torn_bytes == 0


def test_a_reset_that_could_not_be_made_durable_does_not_lose_what_is_appended_later(
    run: Run, tmp_path: Path
) -> None:
    said = run("""
log = WriteAheadLog(here / "log", policy="always")
log.append(b"old")
fails("directories")
print(tried(log.reset))
works("directories")
print(tried(log.append, b"into a file without a name"))
""")
    assert said == ["5", "9"]
    with WriteAheadLog(tmp_path / "files" / "log") as log:
        assert [change for _, _, change in log.replay()] in ([], [b"old"])


def test_a_reset_that_fails_before_anything_is_renamed_leaves_the_log_as_it_was(run: Run) -> None:
    said = run("""
log = WriteAheadLog(here / "log", policy="always")
log.append(b"old")
fails("fsync")
print(tried(log.reset))
works("fsync")
log.append(b"new")
print(changes(log))
""")
    assert said == ["5", "['old', 'new']"]


def test_a_view_that_cannot_be_saved_leaves_the_saved_ones(run: Run) -> None:
    said = run("""
table, store = MembershipTable("self"), StateStore(here / "state")
for seq in (1, 2):
    store.save_membership(table, seq=seq)
for what in ("fsync", "write"):
    fails(what)
    print(tried(lambda: store.save_membership(table, seq=3)))
    works(what)
state = store.load_state()
print(state.seq, state.is_previous)
""")
    assert said == ["5", "5", "2 False"]


def test_an_incarnation_that_could_not_be_reserved_is_not_handed_out(run: Run) -> None:
    said = run("""
store = StateStore(here / "state")
first = store.first_incarnation(unix_time=1.0)
fails("fsync")
print(tried(lambda: store.cover_incarnation(first + 5_000)), tried(lambda: store.first_incarnation(unix_time=1.0)))
works("fsync")
store.close()
print(StateStore(here / "state").first_incarnation(unix_time=1.0) - first)
""")
    assert said == ["5 5", "1025"]


FULL = """
log, store, table = WriteAheadLog(here / "log", policy="always"), StateStore(here / "state"), MembershipTable("self")
store.save_membership(table, seq=1)
kept = 0
while tried(log.append, b"%06d" % kept + bytes(1000)) == "acknowledged":
    kept += 1
print(tried(log.append, bytes(60_000)))
for n in range(2_000):
    table.update("node-%d" % n, 1, now=1.0)
print(tried(lambda: store.save_membership(table, seq=2)), store.load_state().seq)
print(len(log.replay()) == kept > 10)
log.close()
again = WriteAheadLog(here / "log")
print(len(again.replay()) == kept, again.torn_bytes)
"""


def test_a_full_disk_is_an_error_and_loses_nothing(tmp_path: Path) -> None:
    inside = 'mount -t tmpfs -o size=64k none "$1" && exec "$0" -c "$2" "$1" "$1"'
    namespace = ["unshare", "--mount", "sh", "-c"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*namespace, "mount -t tmpfs none /mnt"], check=False).returncode
    ):
        pytest.skip("mounting a small disk takes root")
    command = [*namespace, inside, sys.executable, str(tmp_path), PRELUDE + FULL]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["28", "28 1", "True", "True 0"]
