import subprocess
import sys
import time
from pathlib import Path

import pytest

from palaver.core import ArgumentError, WriteAheadLog

CHANGES = [b"one", b"", b"three" * 9]
HEAD = 28


def written(path: Path) -> bytes:
    with WriteAheadLog(path) as log:
        for change in CHANGES:
            log.append(change, kind=7)
    return path.read_bytes()


def found(log: WriteAheadLog) -> list[bytes]:
    return [change for _, _, change in log.replay()]


@pytest.mark.parametrize("policy", ["always", "interval", "never"])
def test_changes_are_found_again_in_order(tmp_path: Path, policy: str) -> None:
    with WriteAheadLog(tmp_path / "log", policy=policy) as log:  # type: ignore[arg-type]
        assert [log.append(change) for change in CHANGES] == [1, 2, 3]
        log.append_many([b"x", b"y"], kind=9)
        assert log.replay() == [
            *((n + 1, 0, change) for n, change in enumerate(CHANGES)),
            (4, 9, b"x"),
            (5, 9, b"y"),
        ]
    with WriteAheadLog(tmp_path / "log") as log:
        assert found(log) == [*CHANGES, b"x", b"y"]
        assert log.append(b"z") == 6
        assert (log.torn_bytes, log.quarantined) == (0, None)


def test_a_log_cut_anywhere_loses_only_what_is_torn(tmp_path: Path) -> None:
    path = tmp_path / "log"
    whole = written(path)
    for length in range(HEAD, len(whole)):
        path.write_bytes(whole[:length])
        with WriteAheadLog(path) as log:
            kept = found(log)
            assert kept == CHANGES[: len(kept)]
            assert log.torn_bytes == length - path.stat().st_size
            log.append(b"next")
            assert found(log) == [*kept, b"next"]
            assert log.quarantined is None


def test_a_bad_frame_before_good_ones_is_quarantined_and_what_was_before_it_stays(tmp_path: Path) -> None:
    path = tmp_path / "log"
    bad = bytearray(written(path))
    bad[HEAD + 17 + 3 + 4] ^= 1  # the checksum of the second frame
    path.write_bytes(bad)
    with WriteAheadLog(path) as log:
        assert found(log) == [b"one"]
        assert log.quarantined == f"{path}.corrupt-1"
        assert Path(log.quarantined).read_bytes() == bad
        assert log.append(b"next") == 2
    with WriteAheadLog(path) as log:
        assert found(log) == [b"one", b"next"]
        assert log.quarantined is None


def test_a_file_that_is_no_log_is_quarantined(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"something else entirely, of some length")
    with WriteAheadLog(path, first_seq=12) as log:
        assert log.quarantined is not None
        assert log.append(b"x") == 12


def test_an_empty_file_has_lost_its_log_and_is_quarantined(tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    with WriteAheadLog(tmp_path / "log") as log:
        assert log.quarantined == f"{tmp_path / 'log'}.corrupt-1"
        assert log.append(b"x") == 1
    with WriteAheadLog(tmp_path / "log") as log:
        assert (log.quarantined, found(log)) == (None, [b"x"])


def test_a_log_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    written(tmp_path / "log")
    (tmp_path / "log").chmod(0o644)
    WriteAheadLog(tmp_path / "log").close()
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


def test_the_last_change_of_a_burst_is_synced_without_another(tmp_path: Path) -> None:
    with WriteAheadLog(tmp_path / "log", policy="interval", interval=0.02) as log:
        log.append(b"first")
        log.append(b"last")
        give_up = time.monotonic() + 60.0
        while not log.is_synced and time.monotonic() < give_up:
            time.sleep(0.001)
        assert log.is_synced


def test_only_a_sync_or_another_append_ends_a_long_interval(tmp_path: Path) -> None:
    with WriteAheadLog(tmp_path / "log", policy="interval", interval=3600.0) as log:
        log.append(b"x")
        assert not log.is_synced
        log.sync()
        assert log.is_synced


def test_the_memory_of_a_large_append_is_given_back(tmp_path: Path) -> None:
    program = """if True:
        import sys
        from palaver.core import WriteAheadLog
        def resident():
            return int(open("/proc/self/statm").read().split()[1]) * 4096
        log = WriteAheadLog(sys.argv[1], policy="never")
        changes = [bytes(2**20)] * 60
        before = resident()
        log.append_many(changes)
        print(resident() - before < 30 * 2**20)
    """
    command = [sys.executable, "-c", program, str(tmp_path / "log")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "True\n"


def test_numbers_go_on_after_a_reset(tmp_path: Path) -> None:
    with WriteAheadLog(tmp_path / "log") as log:
        log.append_many(CHANGES)
        log.reset()
        assert log.replay() == []
        assert log.append(b"x") == 4
    with WriteAheadLog(tmp_path / "log") as log:
        assert log.replay() == [(4, 0, b"x")]


def test_a_log_that_a_saved_state_contains_begins_anew(tmp_path: Path) -> None:
    written(tmp_path / "log")
    with WriteAheadLog(tmp_path / "log", first_seq=3) as log:
        assert found(log) == CHANGES
    with WriteAheadLog(tmp_path / "log", first_seq=10) as log:
        assert log.replay() == []
        assert log.append(b"x") == 10


def test_a_log_has_one_writer_and_is_nobody_elses_to_read(tmp_path: Path) -> None:
    with WriteAheadLog(tmp_path / "log"):
        with pytest.raises(BlockingIOError, match="somebody else has it open"):
            WriteAheadLog(tmp_path / "log")
        assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600
    WriteAheadLog(tmp_path / "log").close()


def test_a_closed_log_acknowledges_nothing(tmp_path: Path) -> None:
    log = WriteAheadLog(tmp_path / "log")
    log.close()
    for call in (lambda: log.append(b"x"), log.sync, log.reset):
        with pytest.raises(OSError, match="nothing was acknowledged"):
            call()


def test_bad_arguments_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="a policy is one of always, interval, never"):
        WriteAheadLog(tmp_path / "log", policy="often")  # type: ignore[arg-type]
    assert not (tmp_path / "log").exists()
    with WriteAheadLog(tmp_path / "log") as log:
        with pytest.raises(ArgumentError, match="a change has at most 1048576 bytes"):
            log.append_many([b"small", bytes(2**20 + 1)])
        with pytest.raises(
            ArgumentError, match="the changes of one append have at most 67108864 bytes together"
        ):
            log.append_many([bytes(2**20)] * 64)
        assert log.replay() == []
    with pytest.raises(FileNotFoundError):
        WriteAheadLog(tmp_path / "no" / "log")


def test_a_path_without_a_name_is_refused_before_any_file_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for path in ("", ".."):
        with pytest.raises(ArgumentError, match="a path ends in the name"):
            WriteAheadLog(path)
    assert list(tmp_path.iterdir()) == []


FULL_DISK = """
import resource, signal, sys
from palaver.core import WriteAheadLog
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
log = WriteAheadLog(sys.argv[1])
log.append(b"acknowledged")
resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
try:
    log.append(b"x" * 1000)
except OSError as error:
    print(error.errno, error.filename == sys.argv[1])
log.append(b"small")
print([change for _, _, change in log.replay()])
"""


def test_a_full_disk_is_an_error_and_leaves_no_half_frame(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path / "log")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert said == ["27 True", "[b'acknowledged', b'small']"]


KILLED = """
import os, signal, sys
from palaver.core import WriteAheadLog
log = WriteAheadLog(sys.argv[1])
for n in range(100):
    log.append(b"%d" % n)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_loses_nothing_and_leaves_no_lock(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "log")], check=False)
    with WriteAheadLog(tmp_path / "log") as log:
        assert found(log) == [b"%d" % n for n in range(100)]
