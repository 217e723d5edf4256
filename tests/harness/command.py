"""`palaver` run to its end, as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys


def palaver(*arguments: str, code: int = 0) -> str:
    """What it printed to stdout; where it must fail with `code`, stderr too."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PALAVER_")}
    run = subprocess.run(
        [sys.executable, "-m", "palaver.cli", *arguments],
        env=kept,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == code, run.stdout + run.stderr
    return run.stdout if code == 0 else run.stdout + run.stderr
