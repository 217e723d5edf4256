"""A cluster of palaver beside one of Serf: how soon a crash is known, and what a node costs.

    make bench-cluster                       # some minutes; prints the table
    make bench-cluster ARGS="--write"        # and writes it to docs/gossip.md, with a plot

Both have twenty nodes, each on a host of its own (a network namespace on a bridge), by turns in several rounds. Of each
round: the nodes are left alone for a while, which gives traffic, CPU and memory; then some are killed (SIGKILL), one after the
other, and each survivor's log tells when it knew. Needs root, ip, nft, and Debian's serf; says so where one is missing.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests")]

from cluster_sides import SIDES, Side, cpu_seconds, memory  # noqa: E402

from harness.host_network import why_not  # noqa: E402
from palaver.bench.plot import Line, plot, zero_axis  # noqa: E402

PAGE = ROOT / "docs" / "gossip.md"
PLOT = "gossip-serf.svg"
BEGIN, END = "<!-- serf: begin -->", "<!-- serf: end -->"

Samples = dict[tuple[str, str], list[float]]
"""(side, what) → one value a round, or of detection times one a survivor and crash."""


class Row(NamedTuple):
    label: str
    ours: str
    theirs: str
    unit: str
    form: str
    share: float = 0.5
    """Which of the samples counts: 0.5 is the median."""


ROWS = (
    Row("crash → routes avoid it (unreachable; failed), median", "unreachable", "failed", "s", ".2f"),
    Row("… p99", "unreachable", "failed", "s", ".2f", 0.99),
    Row("crash → dead (dead; failed), median", "dead", "failed", "s", ".2f"),
    Row("… p99", "dead", "failed", "s", ".2f", 0.99),
    Row("bytes sent per node, link layer included", "traffic", "traffic", "bytes/s", ".0f"),
    Row("CPU per node, whole process", "cpu", "cpu", "ms/s", ".2f"),
    Row("CPU per node, our gossip thread beside their whole agent", "gossip cpu", "cpu", "ms/s", ".2f"),
    Row("memory per node, whole process", "memory", "memory", "MiB", ".1f"),
)


SETTLE = 20.0
"""Seconds from the moment at which all know all until the cluster counts as idle."""


def measure(side: Side, name: str, kills: int, idle: float, samples: Samples) -> None:
    """One round of one side."""
    nodes = len(side.pids)
    threading.Event().wait(SETTLE)
    before = side.network.sent_bytes(), cpu_seconds(side), side.gossip_cpu(), time.monotonic()
    threading.Event().wait(idle)
    after = side.network.sent_bytes(), cpu_seconds(side), side.gossip_cpu(), time.monotonic()
    seconds = after[3] - before[3]
    samples[name, "traffic"].append((sum(after[0]) - sum(before[0])) / nodes / seconds)
    samples[name, "cpu"].append((after[1] - before[1]) / nodes / seconds * 1e3)
    if before[2] is not None and after[2] is not None:
        samples[name, "gossip cpu"].append((after[2] - before[2]) / nodes / seconds * 1e3)
    samples[name, "memory"].append(median(memory(side)) / 2**20)
    for host in range(nodes, nodes - kills, -1):
        at = side.kill(host)
        for belief, times in side.learned(host).items():
            samples[name, belief] += [when - at for when in times]


def quantile(values: list[float], share: float) -> float:
    return median(values) if share == 0.5 else sorted(values)[min(len(values) - 1, int(len(values) * share))]


def table(samples: Samples) -> list[str]:
    lines = ["| 20 nodes | palaver | Serf | palaver / Serf |", "|---|---|---|---|"]
    for row in ROWS:
        ours = quantile(samples["palaver", row.ours], row.share)
        theirs = quantile(samples["serf", row.theirs], row.share)
        lines.append(
            f"| {row.label} | {ours:{row.form}} {row.unit} | {theirs:{row.form}} {row.unit} | {ours / theirs:.2f} |"
        )
    return lines


def picture(samples: Samples) -> str:
    """The share of survivors that know, over the time since the crash."""
    lines = []
    for side, belief in (("palaver", "unreachable"), ("palaver", "dead"), ("serf", "failed")):
        times = sorted(samples[side, belief])
        points = [(at, (index + 1) / len(times)) for index, at in enumerate(times)]
        lines.append(
            Line(f"{side}: {belief}", [(0.0, 0.0), *points[:: max(1, len(points) // 60)], points[-1]])
        )
    last = max(x for line in lines for x, _ in line.points)
    return plot(
        "SIGKILL of one node of 20: survivors that know",
        zero_axis("seconds since", [last]),
        zero_axis("share", [1.0]),
        lines,
    )


def write(samples: Samples, lines: list[str], command: str) -> None:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    version = subprocess.run(["serf", "version"], capture_output=True, text=True, check=True).stdout
    head = (
        f"`{command}`, commit {commit}, {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, load {os.getloadavg()[2]:.1f}; "
        f"Serf {version.split()[0]} of Debian, `-profile=lan`, encrypted. "
        f"{len(samples['palaver', 'dead'])} and {len(samples['serf', 'failed'])} times of detection."
    )
    (PAGE.parent / PLOT).write_text(picture(samples))
    text = "\n".join([BEGIN, head, "", *lines, "", f"![survivors that know]({PLOT})", END])
    PAGE.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: text, PAGE.read_text(), flags=re.DOTALL))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="of each side, by turns")
    parser.add_argument("--kills", type=int, default=3, help="crashes in each round")
    parser.add_argument("--idle", type=float, default=20.0, help="seconds for traffic, CPU and memory")
    parser.add_argument("--write", action="store_true", help="write docs/gossip.md and the plot")
    arguments = parser.parse_args()
    problem = why_not() or (
        None if shutil.which("serf") else "needs serf to compare with (Debian: apt-get install serf)"
    )
    if problem:
        print(f"skipped: {problem}")
        return 0
    samples: Samples = defaultdict(list)
    for turn in range(arguments.rounds):
        for name, start in SIDES.items():
            with start(20) as side:
                measure(side, name, arguments.kills, arguments.idle, samples)
            print(f"round {turn + 1}: {name} done", file=sys.stderr, flush=True)
    lines = table(samples)
    print("\n".join(lines))
    if arguments.write:
        command = f'make bench-cluster ARGS="{" ".join(sys.argv[1:])}"'
        write(samples, lines, command)
    return 0


if __name__ == "__main__":
    sys.exit(main())
