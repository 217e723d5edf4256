"""`palaver` as a process of its own, for what only a process can show: signals, limits, a full disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.settings import KEY_ID, SECRET
from palaver.protocol.types import Role
from palaver.signaling.tokens import mint


class NodeProcess:
    """A running `palaver serve`; what it logs is collected as it comes."""

    def __init__(self, process: subprocess.Popen[str], reader: threading.Thread, lines: list[str]) -> None:
        assert process.stdout is not None
        first = process.stdout.readline()
        if not first:
            reader.join()
            raise AssertionError(f"the node did not start: {''.join(lines)}")
        where: dict[str, Any] = json.loads(first)
        self.where = where
        self.url: str = where["gateway"]
        self.http: str = where["http"]
        self.process = process
        self._reader = reader
        self._lines = lines

    @property
    def logs(self) -> list[dict[str, Any]]:
        """The log entries so far."""
        return [json.loads(line) for line in self._lines if line.startswith("{")]

    def token(self, identity: str, role: Role = "participant") -> str:
        """For every room."""
        return mint(KEY_ID, SECRET, identity=identity, role=role, ttl_seconds=3_600, now=time.time())

    def ended(self) -> tuple[int, str]:
        """Waits for the end: the exit code, and all that it wrote to stderr."""
        code = self.process.wait(timeout=60)
        self._reader.join()
        return code, "".join(self._lines)


def write_settings(directory: Path, more: str = "") -> Path:
    """A settings file for a node without media, on free ports, with the key of the tests."""
    config = directory / "palaver.toml"
    config.write_text(
        f"{more}\n[auth.keys]\n{KEY_ID} = '{SECRET}'\n[media]\nembedded = false\n[log]\nformat = 'json'\n"
    )
    return config


@contextmanager
def serving_process(
    directory: Path,
    more: str = "",
    *flags: str,
    environ: dict[str, str] | None = None,
    before: tuple[str, ...] = (),
) -> Iterator[NodeProcess]:
    """Runs `palaver serve` while the block runs; `more` is TOML for its settings file, `flags` are further flags.

    `before` is a command that becomes it, such as `ip netns exec …`.
    """
    config = write_settings(directory, more)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PALAVER_")}
    process = subprocess.Popen(
        [
            *before,
            *(sys.executable, "-m", "palaver.cli", "serve", "--config", str(config), "--json"),
            *("--port", "0", "--http-port", "0", "--state-dir", str(directory / "state"), *flags),
        ],
        env={**kept, **(environ or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines: list[str] = []
    stderr = process.stderr
    assert stderr is not None
    reader = threading.Thread(target=lambda: lines.extend(stderr), daemon=True)
    reader.start()
    try:
        yield NodeProcess(process, reader, lines)
    finally:
        process.kill()
        process.wait()
        reader.join()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
