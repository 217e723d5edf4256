"""A Python that stands still for ten seconds is no dead node: the native thread goes on answering."""

from __future__ import annotations

import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from palaver.core import ClusterDriver, KeyManager, Suspected, ViewChanged

BLOCKED = 10
DEADLINE = 40.0
"""Seconds for each thing that is waited for."""


@pytest.fixture
def watchers() -> Iterator[list[ClusterDriver]]:
    drivers = [ClusterDriver(KeyManager()) for _ in range(3)]
    for driver in drivers:
        driver.start("127.0.0.1:0", seeds=[other.address for other in drivers[:1] if other is not driver])
    yield drivers
    for driver in drivers:
        driver.close()


def await_(descriptors: list[int], condition: Callable[[], bool], look: Callable[[], None]) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end
        select.select(descriptors, [], [], 0.1)
        look()


@pytest.mark.timeout(150)
def test_a_blocked_interpreter_is_missed_by_nobody(watchers: list[ClusterDriver]) -> None:
    command = [
        sys.executable,
        str(Path(__file__).with_name("blocked_node.py")),
        watchers[0].address,
        str(BLOCKED),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        try:
            node_id = process.stdout.readline().strip()
            changes: list[tuple[str | None, str | None]] = []
            suspicions = 0
            drained = False

            def look() -> None:
                nonlocal suspicions, drained
                for driver in watchers:
                    for event in driver.drain():
                        if isinstance(event, ViewChanged):
                            changes.extend(
                                (change.before, change.after)
                                for change in event.changes
                                if change.node_id == node_id and change.before not in (None, change.after)
                            )
                        suspicions += (
                            isinstance(event, Suspected) and event.node_id == node_id and event.suspect
                        )
                member = watchers[0].member(node_id)
                drained |= member is not None and member.draining

            fds = [driver.fd for driver in watchers]
            await_(fds, lambda: all(driver.status(node_id) == "alive" for driver in watchers), look)
            look()
            changes.clear()
            process.stdin.write("block\n")
            process.stdin.flush()
            assert process.stdout.readline() == "blocked\n"
            began = time.monotonic()
            out = process.stdout.fileno()
            await_([*fds, out], lambda: bool(select.select([out], [], [], 0)[0]), look)
            stood_still = time.monotonic() - began
            free, incarnation, *told = process.stdout.readline().split()
            look()
            assert free == "free"
            assert stood_still > BLOCKED - 1, (
                "the process has to have stood still for the test to mean anything"
            )
            assert changes == [], f"{suspicions} suspicions"
            assert "Blocked" in told
            assert "Stopped" not in told
            assert drained, "the others are told that it takes nothing new"
            member = watchers[0].member(node_id)
            assert member is not None
            assert member.incarnation == int(incarnation), "nobody accused it, so it had nothing to refute"
            process.stdin.write("end\n")
            process.stdin.flush()
            await_(fds, lambda: watchers[0].status(node_id) == "left", look)
        finally:
            process.kill()
