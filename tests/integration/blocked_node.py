"""A node whose interpreter stands still: python blocked_node.py SEED SECONDS. Run by test_blocked_interpreter.py.

Prints its node id, waits for a line, says `blocked`, holds the interpreter, and says `free` with what its driver has told.
"""

from __future__ import annotations

import ctypes
import sys

from palaver.core import ClusterDriver, KeyManager


def main(seed: str, seconds: str) -> None:
    driver = ClusterDriver(KeyManager(), blocked_after=3.0, leave_after=60.0)
    driver.start("127.0.0.1:0", seeds=[seed])
    driver.beat()
    print(driver.node_id, flush=True)
    sys.stdin.readline()
    print("blocked", flush=True)
    # Called through PyDLL the interpreter is not let go: no other Python thread of this process runs meanwhile.
    ctypes.PyDLL(None).sleep(int(seconds))
    driver.beat()
    told = " ".join(sorted({type(event).__name__ for event in driver.drain()}))
    print(f"free {driver.incarnation} {told}", flush=True)
    sys.stdin.readline()
    driver.leave()


if __name__ == "__main__":
    main(*sys.argv[1:])
