"""Percentiles, and the notes that a reader must know."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import ExitStack

from palaver.bench.figures import latency
from palaver.bench.plot import Bar, Line, bars, log_axis, plot, zero_axis
from palaver.bench.server_process import ServerProcess, find_listener

MS = 1_000_000


def test_a_percentile_is_the_value_that_this_share_was_not_above() -> None:
    found = latency([(1 * MS, 50), (2 * MS, 40), (3 * MS, 9), (100 * MS, 1)])
    assert found is not None
    assert (found.count, found.p50, found.p90, found.p99, found.p999, found.max) == (100, 1, 2, 3, 100, 100)
    assert found.mean == (50 + 80 + 27 + 100) / 100


def test_of_nothing_there_is_no_latency() -> None:
    assert latency([]) is None


def test_the_process_behind_a_port_is_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = find_listener(port)
    assert found is not None and found.pids == (os.getpid(),)
    assert find_listener(port) is None


def test_all_processes_of_a_port_are_found_and_none_of_another_address() -> None:
    listen = (
        "import socket; own = socket.socket(); own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1);"
        "own.bind(('{}', {})); own.listen(); print(flush=True); input()"
    )
    with ExitStack() as stack:
        keeper = stack.enter_context(socket.socket())
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        keeper.bind(("127.0.0.1", 0))
        port = keeper.getsockname()[1]
        processes = []
        for host in ("127.0.0.1", "127.0.0.1", "127.0.0.2"):
            command = (sys.executable, "-c", listen.format(host, port))
            process = stack.enter_context(subprocess.Popen(command, stdin=-1, stdout=-1))
            assert process.stdin and process.stdout
            process.stdout.readline()
            processes.append(process)
        pids = [process.pid for process in processes]
        found, other = find_listener(port), find_listener(port, "127.0.0.2")
        assert found is not None and found.pids == tuple(sorted(pids[:2]))
        assert other is not None and other.pids == (pids[2],)
        assert (found.memory() or 0) > (other.memory() or 0) > 0


def test_a_process_tells_its_cpu_and_memory_until_it_is_gone() -> None:
    own = ServerProcess(os.getpid())
    first = own.cpu_seconds()
    assert first is not None and first > 0
    assert sum(range(1_000_000)) and (own.cpu_seconds() or 0) > first
    assert (own.memory() or 0) > 1 << 20
    gone = ServerProcess(2**22 + 1)  # above the largest pid that Linux gives
    assert (gone.cpu_seconds(), gone.memory()) == (None, None)


def test_axes_hold_all_values_between_round_ticks() -> None:
    assert list(log_axis("", [0.3, 40]).ticks) == [0.1, 1, 10, 100]
    assert list(zero_axis("", [47.0]).ticks) == [0, 10, 20, 30, 40, 50]


def test_names_in_plots_are_escaped() -> None:
    line = plot("a < b", zero_axis("x", [1]), zero_axis("y", [1]), [Line("<&>", [(0, 0), (1, 1)])])
    bar = bars("a < b", "µs", [Bar("<&>", 1.0)], "palaver")
    assert all("&lt;&amp;&gt;" in svg and "a &lt; b" in svg for svg in (line, bar))
