"""A node whose disk fails under it: it says so once, goes on where it may, and ends where it must not go on."""

from __future__ import annotations

import pytest

from harness.failing_disk import FailingDisk

PRELUDE = """
import itertools, select, shutil, sys, time
from pathlib import Path
from palaver.core import ClusterDriver, KeyManager, LogFailed, Stopped
here, disk = map(Path, sys.argv[1:])
told = []

def until(driver, holds):
    end = time.monotonic() + 60
    while not (answer := holds()):
        assert time.monotonic() < end, told
        select.select([driver.fd], [], [], 0.1)
        told.extend(driver.drain())
    return answer

def of(kind):
    return [event for event in told if isinstance(event, kind)]

def node(seed=None, keys=None, state=None):
    driver = ClusterDriver(keys or KeyManager(), state_dir=state)
    driver.start("127.0.0.1:0", seeds=[] if seed is None else [seed.address])
    return driver

def known_after_a_kill(keys, number):
    copy = shutil.copytree(here / "b", disk / f"copy-{number}")
    alone = node(None, keys, copy)
    known = {member.node_id for member in alone.members()}
    alone.close()
    return known

def see(*drivers):
    ids = [driver.node_id for driver in drivers]
    return lambda: all(driver.status(each) == "alive" for driver in drivers for each in ids)
"""


def test_an_incarnation_that_cannot_be_reserved_is_not_used(disk: FailingDisk) -> None:
    """A disk that fails at the start is an error of the start; where only the reservation fails, the node ends before it has
    told anybody anything, and says why."""
    said = disk.run(
        PRELUDE
        + """
first, keys = node(), KeyManager()
again = node(first, keys, here / "b")
until(again, see(first, again))
before = first.member(again.node_id).incarnation
again.close()
told.clear()
(disk / "fsync").touch()
try:
    node(first, keys, here / "b")
except OSError as error:
    print(error.errno)
(disk / "fsync").unlink()
(disk / "directories").touch()
again = node(first, keys, here / "b")
until(again, lambda: of(Stopped))
stopped = of(Stopped)[0]
print(stopped.acknowledged, stopped.why.split(":")[0])
print(first.member(again.node_id).incarnation == before)
again.close()
(disk / "directories").unlink()
back = node(first, keys, here / "b")
until(back, lambda: first.member(back.node_id).incarnation > before)
print("back")
back.close()
first.close()
"""
    )
    assert said == ["5", "0 the incarnation cannot be reserved", "True", "back"]


@pytest.mark.parametrize("call", ["write", "fdatasync"])
def test_a_membership_that_cannot_be_written_is_told_once_and_written_whole_when_the_disk_is_well(
    disk: FailingDisk, call: str
) -> None:
    said = disk.run(
        PRELUDE
        + f"""
first, keys = node(), KeyManager()
kept = node(first, keys, here / "b")
until(kept, see(first, kept))
(disk / "{call}").touch()
others = [node(first) for _ in range(3)]
until(kept, see(first, kept, *others))
until(kept, lambda: of(LogFailed))
print("[Errno 5]" in of(LogFailed)[0].why or "Input/output error" in of(LogFailed)[0].why)
more = node(first)
until(kept, see(first, kept, *others, more))
print(len(of(LogFailed)), kept.status(first.node_id), len(of(Stopped)))
(disk / "{call}").unlink()
last = node(first)
until(kept, see(first, kept, last))
everybody = {{each.node_id for each in (first, kept, *others, more, last)}}
copies = itertools.count()
print(until(kept, lambda: everybody == known_after_a_kill(keys, next(copies))))
for each in (first, kept, *others, more, last):
    each.close()
"""
    )
    assert said == ["True", "1 alive 0", "True"]
