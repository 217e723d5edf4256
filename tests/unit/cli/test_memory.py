"""Memory that a node no longer needs goes back to the system."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

BUSY = """
from pathlib import Path
from palaver.cli.running import give_memory_back

def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

{call}
for _ in range(2):
    blocks = [bytearray(200_000) for _ in range(200)]
    del blocks[::2]
print(resident())
del blocks[::2]
print(resident())
"""


def freed(call: str) -> int:
    """How many bytes a process gives back when it frees fifty blocks of 200 kB from between others."""
    command = [sys.executable, "-c", BUSY.format(call=call)]
    before, after = map(
        int, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    )
    return before - after


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_large_blocks_go_back_to_the_system() -> None:
    assert freed("give_memory_back()") > 9_000_000
    assert freed("") < 1_000_000, "glibc does so by itself: give_memory_back is not needed any more"
