"""What strangers take of the machine while the gateway is compared (`benches/gateway_pairs.py`)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

BENCHES = Path(__file__).parents[3] / "benches"
PARENT = """
import subprocess, sys
child = subprocess.Popen((sys.executable, "-c", "import time; [0 for _ in iter(lambda: time.process_time() < 0.5, False)]"))
print(child.pid, flush=True)
input()
child.wait()
print("reaped", flush=True)
input()
"""
TICKS = 25
"""Half of what the child used, so that little else of the parent's is in doubt."""


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> Callable[[set[int]], dict[int, int]]:
    monkeypatch.syspath_prepend(str(BENCHES))
    import gateway_pairs  # type: ignore[import-not-found]

    found: Callable[[set[int]], dict[int, int]] = gateway_pairs.others
    return found


def test_a_child_that_ends_does_not_count_with_all_that_it_ever_used(
    others: Callable[[set[int]], dict[int, int]],
) -> None:
    with subprocess.Popen((sys.executable, "-c", PARENT), stdin=-1, stdout=-1, text=True) as parent:
        assert parent.stdin and parent.stdout
        child = int(parent.stdout.readline())
        state = Path(f"/proc/{child}/stat")
        while state.read_text().rpartition(")")[2].split()[0] != "Z":
            pass
        before = others(set())[parent.pid]
        parent.stdin.write("\n")
        parent.stdin.flush()
        assert parent.stdout.readline() == "reaped\n"
        assert others(set())[parent.pid] - before < TICKS
        parent.stdin.write("\n")
        parent.stdin.flush()
