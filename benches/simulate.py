"""Runs the simulated scenarios over many seeds, prints the table with its bars, and writes it into docs/gossip.md with plots.

make sim                      # all scenarios
make sim ARGS="--seeds 2 crash-100 idle"
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SCENARIOS = ROOT / "rust/sim/scenarios"
PAGE = ROOT / "docs/gossip.md"
BEGIN, END = "<!-- simulated: begin -->", "<!-- simulated: end -->"

#: Scenarios of thousands of nodes take minutes a seed: fewer of them, which the table says.
FEWER = {"crash-4500": 3, "bootstrap": 3, "mass-restart": 1}
ORDER = [
    "crash-100", "crash-1000", "crash-4500", "rumour", "rumour-lossy", "blocked", "stopped", "one-way", "lossy-members",
    "flip-flop", "semi-detached", "partition", "mass-restart", "bootstrap", "idle",
]  # fmt: skip
WORDS = {
    "unreachable_99": "99 % know it is unreachable",
    "out_for_good": "faulty ones out for good",
    "one_view": "one complete view",
    "rumour_99": "99 % have heard it",
    "rumour_all": "all have heard it",
    "bytes_per_node": "bytes a second and node, sent, headers included",
    "evicted": "healthy members thought dead by most",
    "false_dead": "healthy members called dead",
}


def run(name: str, seeds: int) -> list[dict[str, Any]]:
    """Runs a scenario with all its rivals; one dict each."""
    binary = ROOT / "target/release/palaver-sim"
    command = [binary, "--seeds", str(seeds), str(SCENARIOS / f"{name}.toml")]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return [json.loads(line) for line in output.splitlines()]


def figure(value: float | None, of: list[float]) -> str:
    """A number as it stands in the table."""
    if value is None or not of:
        return "never"
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"


def rows(results: dict[str, list[dict[str, Any]]]) -> tuple[list[str], int]:
    """The table's rows, and how many bars were missed."""
    lines, missed = [], 0
    for name, runs in results.items():
        ours = next(run for run in runs if run["whose"] == "ours")
        for bar in ours["bars"]:
            missed += not bar["pass"]
            cells = [figure(bar["got"], ours["measures"].get(bar["measure"], []))]
            for rival in ("memberlist", "swim"):
                theirs = next((run for run in runs if run["whose"] == rival), None)
                values = theirs["measures"].get(bar["measure"], []) if theirs else []
                cells.append("–" if theirs is None else figure(combine(bar["of"], values), values))
            verdict = "pass" if bar["pass"] else "**miss**"
            what = f"{WORDS.get(bar['measure'], bar['measure'])}, {bar['of']}"
            title = f"{ours['title']} (`{name}`, {ours['seeds']} seeds)"
            lines.append(f"| {title} | {what} | {' | '.join(cells)} | ≤ {bar['at_most']:g} | {verdict} |")
    return lines, missed


def combine(of: str, values: list[float]) -> float | None:
    """Many seeds as one number, as the simulator does it for its bars."""
    if not values:
        return None
    ordered = sorted(values)
    if of == "sum":
        return sum(ordered)
    if of == "median":
        return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    return ordered[-1] if of == "max" else ordered[-(-len(ordered) * 99 // 100) - 1]


def plot(results: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Draws who knows when, and returns the files' names."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "palaver"
    from matplotlib import pyplot

    names = []
    for file, title, wanted, curve in (
        (
            "gossip-crash.svg",
            "one crash: share of healthy members that know",
            ("crash-100", "crash-1000"),
            "spread",
        ),
        (
            "gossip-join.svg",
            "how many members a node sees, on average",
            ("bootstrap", "partition"),
            "samples",
        ),
    ):
        picture, axes = pyplot.subplots(figsize=(8, 4))
        for name in wanted:
            for run in results.get(name, []):
                if curve == "spread":
                    points = run["spread"]
                else:
                    points = [(sample["at"], sample["sizes"][1] / run["nodes"]) for sample in run["samples"]]
                if points:
                    label = f"{name} {run['whose']}"
                    axes.plot(
                        [x for x, _ in points], [y for _, y in points], label=label, drawstyle="steps-post"
                    )
        if axes.lines:
            axes.set(xlabel="seconds", ylabel="share", title=title)
            axes.legend(fontsize=8)
            axes.grid(alpha=0.3)
            picture.savefig(ROOT / "docs" / file, metadata={"Date": None})
            names.append(file)
        pyplot.close(picture)
    return names


def page(lines: list[str], seconds: float) -> str:
    """The generated part of docs/gossip.md."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()
    head = (
        f"Command `make sim`, commit {commit}, {date.today()}, {os.cpu_count()} cores, {seconds / 60:.0f} minutes of CPU. "
        "Times in seconds. Seeds count from 1; the same seed gives the same run. Of fewer than 100 seeds p99 is the largest."
    )
    table = [
        "| scenario | measured | ours | memberlist's rules | plain SWIM | bar | |",
        "|---|---|---|---|---|---|---|",
        *lines,
    ]
    made = [name for name in ("gossip-crash.svg", "gossip-join.svg") if (ROOT / "docs" / name).exists()]
    plots = [f"![{name}]({name})" for name in made]
    return "\n".join([head, "", *table, "", *plots])


def main() -> int:
    """Runs, prints, writes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scenarios", nargs="*", help="names of files in rust/sim/scenarios; all unless given")
    parser.add_argument(
        "--seeds", type=int, default=20, help="seeds a scenario; the largest scenarios run fewer"
    )
    parser.add_argument("--write", action="store_true", help="write docs/gossip.md and the plots")
    arguments = parser.parse_args()
    results, seconds = {}, 0.0
    for name in arguments.scenarios or ORDER:
        results[name] = run(name, min(arguments.seeds, FEWER.get(name, arguments.seeds)))
        seconds += sum(run["wall_seconds"] for run in results[name])
        for line in rows({name: results[name]})[0]:
            print(line, flush=True)
    lines, missed = rows(results)
    if arguments.write:
        plot(results)
        text = PAGE.read_text()
        generated = f"{BEGIN}\n{page(lines, seconds)}\n{END}"
        PAGE.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: generated, text, flags=re.DOTALL))
    print(f"{len(lines) - missed} of {len(lines)} bars met")
    return 0


if __name__ == "__main__":
    sys.exit(main())
