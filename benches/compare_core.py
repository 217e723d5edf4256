"""The native core beside its rivals: one table of our figure, the rival's, the ratio, the bar, and whether it is met.

Everything runs by turns in one run on one machine: the Rust rivals in one process with ours, memberlist (Go) and the
Python side in turn with them, several rounds, medians. `--write` puts the table into docs/benchmarks.md and the plot
next to it.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import NamedTuple

import matplotlib
from matplotlib import pyplot

HERE = Path(__file__).parent
ROOT = HERE.parent
PEERS = HERE / "peers"
PAGE = ROOT / "docs" / "benchmarks.md"
PLOT = ROOT / "docs" / "benchmarks.svg"
SIZES = (100, 1_000, 10_000, 100_000, 1_000_000)
BUILT = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))

Figures = dict[str, float]
"""Nanoseconds (or bytes) by ``row/who``."""


class Line(NamedTuple):
    """One line of the table: what is measured, with its bars."""

    what: str
    ours: str
    rival: str = ""
    within: float = 0.0
    """Our figure is at most this many nanoseconds (bytes for memory)."""
    times: float = 0.0
    """The rival takes at least this many times as long."""
    share: float = 1.0
    """By how much our figure is divided: operations in one measurement."""
    rival_share: float = 1.0


PY = "py/test_"
LINES = (
    Line("table only: merge, unchanged", "merge unchanged/palaver", "merge unchanged/foca", 15, 300),
    Line("table only: merge, unchanged", "merge unchanged/palaver", "merge unchanged/chitchat"),
    Line("whole ingest, unchanged, a record of a packet of 8", "ingest unchanged/palaver",
         "ingest unchanged/memberlist", times=20),
    Line("table only: merge, newer, queued", "merge newer and queue/palaver", "merge newer and queue/foca", 150, 50),
    Line("table only: merge, newer (chitchat queues nothing)", "merge newer and queue/palaver",
         "merge newer and queue/chitchat"),
    Line("whole ingest, newer, queued, a record of a packet of 8", "ingest newer and queue/palaver",
         "ingest newer and queue/memberlist", times=50),
    Line("whole ingest, signed: a newer beat of a packet of 8", "bench/ingest/8 signed beats", share=8),
    Line("table only: datagram of 8 in → full datagram out, nothing new", "bench/datagram of 8/in and out, nothing new",
         within=2_000),
    Line("engine: datagram in → out, 8 known records, no cipher",
         "engine/datagram in and out, 8 known records, no cipher/1000", within=2_000),
    Line("engine: the same, ChaCha20-Poly1305 both ways",
         "engine/datagram in and out, 8 known records, with the cipher/1000"),
    Line("dict merge of 10,000 from Python", PY + "palaver_merges_a_dict",
         PY + "naive_table_merges_a_dict", times=3, share=1e4, rival_share=1e4),
    Line("bytes merge of 10,000 from Python", PY + "palaver_merges_bytes",
         PY + "naive_table_merges_a_dict", times=50, share=1e4, rival_share=1e4),
    Line("dedup lookup, native, 100k ids", "bench/dedup/look up_100000", within=40),
    Line("dedup lookup from Python, 64k ids", PY + "look_up[palaver]", PY + "look_up[naive]", 200,
         share=1e3, rival_share=1e3),
    Line("pick 3 of 10,000", "bench/pick 3/of_10000", within=60),
    Line("fill a packet from 10,000 changes", "bench/fill a packet/of_10000", "fill a packet/memberlist", 1_500),
    Line("verify one, unknown key", PY + "palaver_verifies_one", PY + "cryptography_verifies_one", times=3),
    Line("verify one, trusted key", PY + "palaver_verifies_one_of_a_trusted_key",
         PY + "cryptography_verifies_one", times=3),
    Line("verify one, unknown key", PY + "palaver_verifies_one", PY + "pynacl_verifies_one", times=3),
    Line("verify one, trusted key", PY + "palaver_verifies_one_of_a_trusted_key", PY + "pynacl_verifies_one",
         times=3),
    Line("verify, each of 64, unknown keys", PY + "palaver_verifies_64[unknown]",
         PY + "cryptography_verifies_one", times=6, share=64),
    Line("verify, each of 64, trusted keys", PY + "palaver_verifies_64[trusted]",
         PY + "cryptography_verifies_one", times=6, share=64),
    Line("verify, each of 64, unknown keys", PY + "palaver_verifies_64[unknown]",
         PY + "pynacl_verifies_one", times=6, share=64),
    Line("verify, each of 64, trusted keys", PY + "palaver_verifies_64[trusted]",
         PY + "pynacl_verifies_one", times=6, share=64),
    Line("seal a packet of 1,050 B for one peer", "bench/pairwise/seal 1050 bytes"),
    Line("open a packet of 1,050 B", "bench/pairwise/open 1050 bytes"),
    Line("log append of 96 B, from Python, group commit", PY + "append_96_bytes[interval]", within=1_500),
    Line("log replay, a frame, from Python", PY + "replay_10000", within=500, share=1e4),
    Line("memory of a million members, unsigned", "memory of a million/palaver", within=200e6),
    Line("memory of a million members, signed records of 200 B (31,250 measured)", "memory of signed/palaver", share=1 / 32),
)  # fmt: skip
GROWTH = (
    ("merge, unchanged", "bench/merge/unchanged_{}"),
    ("dedup lookup", "bench/dedup/look up_{}"),
    ("pick 3", "bench/pick 3/of_{}"),
    ("fill a packet", "bench/fill a packet/of_{}"),
)
ENGINE_SIZES = (100, 1_000, 4_500, 10_000)
ENGINE = (
    ("datagram in → out, with the cipher, ns", "datagram in and out, 8 known records, with the cipher"),
    ("idle node: CPU, µs a second", "idle cpu of a node"),
    (
        "idle node: bytes sent a second, headers included (bar at 1,000: 450)",
        "idle bytes sent, headers included",
    ),
    ("memory of a member, bytes", "memory of a member"),
)
"""What the engine of one node costs by the size of its cluster; a cluster of 10,000 is not simulated."""


def run(*command: str | Path, folder: Path = ROOT) -> str:
    return subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True).stdout


def spoken(lines: str) -> Iterator[tuple[str, float]]:
    """What a rival's program printed."""
    for line in lines.splitlines():
        said = json.loads(line)
        yield f"{said['row']}/{said['who']}", said["ns"] if "ns" in said else said["bytes"]


def from_python() -> Iterator[tuple[str, float]]:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        options = ["--benchmark-max-time=0.3", "--benchmark-disable-gc", f"--benchmark-json={report}"]
        run(sys.executable, "-m", "pytest", "-q", HERE / "test_core.py", *options)
        for bench in json.loads(report.read_text())["benchmarks"]:
            yield "py/" + bench["name"], bench["stats"]["median"] * 1e9


def from_criterion() -> Iterator[tuple[str, float]]:
    run("cargo", "bench", "-q", "-p", "palaver-core", "--bench", "core", "--", "--quiet")
    for report in (BUILT / "criterion").glob("*/**/new/benchmark.json"):
        estimates = json.loads((report.parent / "estimates.json").read_text())
        yield (
            "bench/" + json.loads(report.read_text())["directory_name"],
            estimates["median"]["point_estimate"],
        )


def from_engine() -> Iterator[tuple[str, float]]:
    """What a whole node costs, without sockets: simulated traffic given to one engine."""
    for line in run("cargo", "bench", "-q", "-p", "palaver-sim", "--bench", "engine").splitlines():
        said = json.loads(line)
        if "value" in said:
            yield f"engine/{said['name']}/{said['members']}", said["value"]


def measure(rounds: int) -> tuple[Figures, list[str]]:
    """The medians of all rounds, and what was skipped."""
    skipped: list[str] = []
    with tempfile.TemporaryDirectory() as built:
        run("cargo", "build", "-q", "--release", folder=PEERS / "core-rivals")
        target = Path(os.environ.get("CARGO_TARGET_DIR", PEERS / "core-rivals" / "target"))
        programs: list[list[str | Path]] = [[target / "release" / "core-rivals"]]
        programs.append([*programs[0], "signed"])
        if shutil.which("go"):
            programs.append([Path(built) / "memberlist"])
            run("go", "build", "-o", *programs[-1], ".", folder=PEERS / "memberlist")
        else:
            skipped.append("memberlist: there is no Go here")
        taken: dict[str, list[float]] = defaultdict(list)
        for _ in range(rounds):
            for program in programs:
                for name, figure in spoken(run(*program)):
                    taken[name].append(figure)
            for name, figure in from_python():
                taken[name].append(figure)
    for one in (from_criterion(), from_engine()):
        for name, figure in one:
            taken[name].append(figure)
    return {name: median(figures) for name, figures in taken.items()}, skipped


def shown(figure: float, *, memory: bool = False) -> str:
    if memory:
        return f"{figure / 1e6:.0f} MB"
    for unit, size in (("ms", 1e6), ("µs", 1e3)):
        if figure >= size:
            return f"{figure / size:.3g} {unit}"
    return f"{figure:.3g} ns"


def engine_figure(figures: Figures, name: str, members: int) -> str:
    figure = figures.get(f"engine/{name}/{members}")
    return "–" if figure is None else f"{figure:,.0f}"


def row(line: Line, figures: Figures) -> list[str]:
    memory = line.ours.startswith("memory")
    if line.ours not in figures:
        return [line.what, "not measured", "", "", "", ""]
    ours = figures[line.ours] / line.share
    cells, bars, met = [line.what, shown(ours, memory=memory)], [], True
    compared = not line.times or line.rival in figures
    if line.within:
        bars.append(f"≤ {shown(line.within, memory=memory)}")
        met &= ours <= line.within
    if line.rival in figures:
        theirs = figures[line.rival] / line.rival_share
        cells += [f"{rival_of(line)} {shown(theirs)}", f"{theirs / ours:.3g}×"]
        met &= theirs >= line.times * ours
    else:
        cells += ["skipped" if line.rival else "", ""]
    if line.times:
        bars.append(f"≥ {line.times:g}×")
    verdict = ("met" if compared else "not compared") if met else "**missed**"
    return [*cells, ", ".join(bars), verdict if bars else ""]


def table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *rows])


def plot(figures: Figures, facts: str) -> None:
    """Two panels: how many times as long each rival takes, with our bars, and how the cost grows with n."""
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "palaver", "svg.fonttype": "none", "font.size": 8})
    compared = [line for line in LINES if line.ours in figures and line.rival in figures][::-1]
    figure, (ratios, growth) = pyplot.subplots(
        2, 1, figsize=(9, 10), height_ratios=(3, 2), layout="constrained"
    )
    for at, line in enumerate(compared):
        ratio = figures[line.rival] / line.rival_share / (figures[line.ours] / line.share)
        ratios.barh(at, ratio, color="tab:green" if ratio >= line.times else "tab:orange")
        ratios.annotate(f" {ratio:.3g}×", (ratio, at), va="center")
        if line.times:
            ratios.plot([line.times] * 2, [at - 0.45, at + 0.45], color="black")
    ratios.set_yticks(range(len(compared)), [f"{line.what} / {rival_of(line)}" for line in compared])
    ratios.set(xscale="log", xlabel="times as long as ours takes (black: the bar we set)")
    ratios.margins(x=0.15, y=0.01)
    for what, name in GROWTH:
        growth.plot(SIZES, [figures[name.format(size)] for size in SIZES], marker="o", label=what)
    growth.set(xscale="log", yscale="log", xlabel="n: members, ids or changes", ylabel="ns for one operation")
    memory = figures["memory of a million/palaver"]
    growth.set_title(f"A table of a million members takes {memory / 1e6:.0f} MB (bar: 200 MB)")
    growth.legend()
    figure.suptitle(facts.replace("`", ""))
    figure.savefig(PLOT, metadata={"Date": None})


def rival_of(line: Line) -> str:
    """The name under which a rival is shown."""
    who = line.rival.removeprefix(PY).rpartition("/")[2].split("_")[0]
    return {"look": "naive Python", "naive": "naive Python"}.get(who, who)


def machine() -> str:
    model = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line)
    return (
        f"{model.partition(':')[2].strip()}, {os.cpu_count()} cores, Linux {os.uname().release.split('-')[0]}"
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    chosen = options.parse_args()
    figures, skipped = measure(chosen.rounds)
    bars = table(["operation", "ours", "rival", "ratio", "bar", ""], [row(line, figures) for line in LINES])
    growth = table(
        ["n", *(f"{size:,}" for size in SIZES)],
        [[what, *(shown(figures[name.format(size)]) for size in SIZES)] for what, name in GROWTH],
    )
    engine = table(
        ["members", *(f"{size:,}" for size in ENGINE_SIZES)],
        [[what, *(engine_figure(figures, name, size) for size in ENGINE_SIZES)] for what, name in ENGINE],
    )
    notes = "".join(f"\nSkipped: {reason}." for reason in skipped)
    print(bars, growth, engine, notes, sep="\n\n")
    if chosen.write:
        commit = run("git", "rev-parse", "--short", "HEAD").strip()
        facts = f"`make bench-core`, {datetime.now(UTC):%Y-%m-%d}, commit {commit}, {machine()}."
        before, _, after = PAGE.read_text().partition("<!-- measured -->\n")
        after = after.partition("<!-- end -->")[2]
        plot(figures, facts)
        picture = f"![ratios and growth]({PLOT.name})"
        measured = f"{facts}{notes}\n\n{bars}\n\n### Growth\n\n{growth}\n\n### A node of the cluster\n\n{engine}\n\n{picture}\n"
        PAGE.write_text(f"{before}<!-- measured -->\n{measured}<!-- end -->{after}")


if __name__ == "__main__":
    main()
