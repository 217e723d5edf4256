"""A cluster of processes on this machine, to look at: `palaver cluster try`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from palaver.cli.local_node import find_node
from palaver.cli.members import watched
from palaver.cli.output import complain
from palaver.errors import StartError

STOP_SECONDS = 10.0
"""How long a node may take to say goodbye; then it is killed."""


def trial(nodes: int) -> None:
    """Starts `nodes` of them and shows their members until Ctrl-C. Raises StartError where one does not start.

    A closed terminal and a polite kill end it as Ctrl-C does: the nodes are in sessions of their own, and would go on.
    """
    with ExitStack() as stack:
        for number in (signal.SIGTERM, signal.SIGHUP):
            stack.callback(signal.signal, number, signal.signal(number, _interrupt))
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="palaver-cluster-")))
        processes: list[subprocess.Popen[str]] = []
        stack.callback(_stop, processes)
        first = _start(processes, root, None)
        # The others at once: each takes a second to import what it needs.
        for _ in range(nodes - 1):
            _launch(processes, root, first["gossip"])
        for process in processes[1:]:
            _announced(process)
        for process in processes:
            complain(f"node {process.pid} runs")
        complain(f"to join: palaver dev --join {first['gossip']}")
        watched(find_node(None, None, root / "1"), 1.0, json=False)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)  # a second one must not interrupt the end
    raise KeyboardInterrupt


def _start(processes: list[subprocess.Popen[str]], root: Path, join: str | None) -> dict[str, Any]:
    _launch(processes, root, join)
    return _announced(processes[-1])


def _launch(processes: list[subprocess.Popen[str]], root: Path, join: str | None) -> None:
    number = len(processes) + 1
    command = [
        *(sys.executable, "-m", "palaver.cli", "dev", "--json", "--port", "0", "--http-port", "0"),
        *("--gossip-port", "0", "--state-dir", str(root / str(number))),
        *("--set", "media.embedded=false", "--set", "log.level=error", "--set", f"node.name=node-{number}"),
        *(() if join is None else ("--join", join)),
    ]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PALAVER_")}
    # Its own session: Ctrl-C is for the view, which then ends the nodes.
    process = subprocess.Popen(
        command, env=environ, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    processes.append(process)


def _announced(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None, "it was asked for"
    line = process.stdout.readline()
    if not line:
        raise StartError(f"node {process.pid} does not start; see above")
    where: dict[str, Any] = json.loads(line)
    return where


def _stop(processes: list[subprocess.Popen[str]]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
