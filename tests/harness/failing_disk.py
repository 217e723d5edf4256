"""A disk that fails when told to, for a process of its own: a library that is loaded before libc (`failing_disk.c`)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("failing_disk.c")


@dataclass(frozen=True, slots=True)
class FailingDisk:
    """The files below `files` are on it; a call fails while a file of its name is in `switches`."""

    files: Path
    switches: Path
    library: Path

    @classmethod
    def make(cls, library: Path, files: Path, switches: Path) -> FailingDisk:
        """Makes both directories where they are missing. What would outlast a loss of power is in `switches`/held."""
        files.mkdir(parents=True, exist_ok=True)
        (switches / "held").mkdir(parents=True, exist_ok=True)
        return cls(files, switches, library)

    @property
    def environ(self) -> dict[str, str]:
        """What a process has to have in its environment."""
        return {
            "LD_PRELOAD": str(self.library),
            "FAILING_DISK": str(self.switches),
            "FAILING_DISK_BELOW": str(self.files),
        }

    def fail(self, *calls: str) -> None:
        """From now on; `failing_disk.c` lists the calls."""
        for call in calls:
            (self.switches / call).touch()

    def mend(self, *calls: str) -> None:
        for call in calls:
            (self.switches / call).unlink()

    def run(self, script: str) -> list[str]:
        """What a process printed, line by line, that had both directories as its arguments. Raises AssertionError."""
        command = [sys.executable, "-c", script, str(self.files), str(self.switches)]
        environ = {**os.environ, **self.environ}
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=200)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()


def built(directory: Path) -> Path | None:
    """The library, or None where no C compiler is."""
    if shutil.which("cc") is None:
        return None
    library = directory / "failing_disk.so"
    flags = ("-shared", "-fPIC", "-O1", "-Wall", "-Werror")
    subprocess.run(["cc", *flags, "-o", library, SOURCE, "-ldl"], check=True)
    return library
