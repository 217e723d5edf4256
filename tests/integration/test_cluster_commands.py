"""The commands that look at a cluster, against running nodes, and two development nodes with one flag."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.cluster import ADMIN, ClusterNode, process_cluster, until
from harness.command import palaver

pytestmark = pytest.mark.timeout(300)

KEPT = {name: value for name, value in os.environ.items() if not name.startswith("PALAVER_")}


def test_a_cluster_is_looked_at_from_the_command_line(tmp_path: Path) -> None:
    with process_cluster(tmp_path, "ab") as cluster:
        first, second = cluster.nodes["a"], cluster.nodes["b"]
        state = str(tmp_path / "a" / "state")  # where the node has left its note

        def asked(*command: str) -> Any:
            return json.loads(palaver(*command, "--state-dir", state, "--json"))

        members = asked("members")
        assert {(one["name"], one["status"], one["self"]) for one in members} == {
            ("a", "alive", True),
            ("b", "alive", False),
        }
        until(lambda: asked("rtt", "b").get("rttMs") is not None)
        assert [one["name"] for one in asked("rtt")] == ["b"]
        reach = asked("reachability")
        assert (reach["members"], reach["findings"]) == (2, ["all 2 members can be reached"])
        until(lambda: "alive" in palaver("monitor", "--no-follow", "--state-dir", state))
        assert set(asked("top", "--once")["perSecond"]) >= {"sent", "sent_bytes", "probes"}
        assert f"{second.gossip} " in palaver("members", "--url", first.http, "--admin-token", ADMIN)
        assert "alive" in palaver("force-leave", "b", "--state-dir", state, code=1)
        assert "there is no such member" in palaver("rtt", "nobody", "--state-dir", state, code=1)
        assert "left; members that have heard it: 1" in palaver(
            "leave", "--url", second.http, "--admin-token", ADMIN
        )
        until(lambda: first.statuses()["b"] == "left")
        there = palaver("members", "--url", second.http, "--admin-token", ADMIN)
        assert there == ""  # no header without rows; the reason is on stderr


@pytest.mark.parametrize("command", [("top", "--every", "0.1"), ("members", "--watch", "--every", "0.1")])
def test_live_views_fit_a_terminal_and_end_with_ctrl_c(tmp_path: Path, command: tuple[str, ...]) -> None:
    with process_cluster(tmp_path, "ab"):
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, 80))
        process = subprocess.Popen(
            [sys.executable, "-m", "palaver.cli", *command, "--state-dir", str(tmp_path / "a" / "state")],
            env={**KEPT, "TERM": "xterm"}, stdin=theirs, stdout=theirs, stderr=theirs,
            preexec_fn=lambda: os.login_tty(theirs),
        )  # fmt: skip
        os.close(theirs)
        seen, interrupted = b"", False
        with contextlib.suppress(OSError):  # EIO: the terminal's other side has ended
            while part := os.read(ours, 4096):
                seen += part
                if seen.count(b"sessions") >= 3 and not interrupted:
                    os.write(ours, b"\x03")
                    interrupted = True
        os.close(ours)
        assert process.wait() == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode())
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", text)]
    assert any(line.startswith("a (this)  alive") for line in lines)
    assert all(len(line) < 80 and "…" not in line and "Traceback" not in line for line in lines)


def test_without_a_node_the_commands_say_what_to_do(tmp_path: Path) -> None:
    assert "start one (`palaver dev`" in palaver("members", "--state-dir", str(tmp_path), code=1)
    closed = ("--url", "http://127.0.0.1:9", "--admin-token", ADMIN)
    assert "does not answer" in palaver("members", *closed, code=1)


def test_the_note_of_a_node_is_its_owners_and_goes_with_it(tmp_path: Path) -> None:
    with process_cluster(tmp_path, "a") as cluster:
        note = tmp_path / "a" / "state" / "running.json"
        assert note.stat().st_mode & 0o777 == 0o600
        node: ClusterNode = cluster.nodes["a"]
        node.process.send_signal(signal.SIGTERM)
        assert node.running.ended()[0] == 0
        assert not note.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_trial_that_is_told_to_end_leaves_nothing_behind(tmp_path: Path, number: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "palaver.cli", "cluster", "try", "--nodes", "2"],
        env={**KEPT, "TMPDIR": str(tmp_path)}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    pids = []
    for line in process.stderr:
        if line.startswith("node "):
            pids.append(int(line.split()[1]))
        if line.startswith("to join"):
            break
    assert len(pids) == 2
    process.send_signal(number)
    assert process.wait(60) in (0, 130)  # as after Ctrl-C: the view has begun, or not yet
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
    assert list(tmp_path.glob("palaver-cluster-*")) == []
    process.stderr.close()


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Any]:
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> dict[str, Any]:
        command = [sys.executable, "-m", "palaver.cli", "dev", "--json", "--state-dir", str(tmp_path)]
        process = subprocess.Popen([*command, *arguments], env=KEPT, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        return json.loads(process.stdout.readline())

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_second_terminal_needs_one_flag(dev: Any, tmp_path: Path) -> None:
    free = ("--port", "0", "--http-port", "0")
    first = dev("--gossip-port", "0", *free)
    second = dev("--join", first["gossip"], *free)
    assert second["stateDir"] == str(tmp_path / "node-2")
    assert second["nodeId"] != first["nodeId"]
    assert first["participants"][0]["identity"] == second["participants"][0]["identity"]

    def names() -> set[str]:
        told = json.loads(palaver("members", "--json", "--state-dir", str(tmp_path)))
        return {one["name"] for one in told if one["status"] == "alive"}

    until(lambda: names() == {"dev", "dev-2"})
