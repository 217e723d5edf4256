"""Runs the simulated scenarios over many seeds, prints the table with its bars, and writes it into docs/gossip.md with plots.

make sim                      # all scenarios
make sim ARGS="--seeds 2 crash-100 idle"
make sim ARGS="--report --older --write"

make sim ARGS=--vouch         # after a change that should change nothing

Each run is kept in benches/simulated, so that an interrupted one goes on where it was; see simulated_runs.py for what
counts after a change.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from simulated_runs import ROOT, Run, Scenario, sources

PAGE = ROOT / "docs/gossip.md"
BEGIN, END = "<!-- simulated: begin -->", "<!-- simulated: end -->"
ORDER = [
    "crash-100", "crash-1000", "crash-4500", "rumour", "rumour-lossy", "blocked", "stopped", "one-way", "lossy-members",
    "flip-flop", "semi-detached", "chaos", "partition", "mass-restart", "bootstrap", "idle",
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

Runs = dict[str, dict[str, list[Run]]]
"""The kept runs by scenario and then by whose rules, by rising seed."""

PLOTS = (
    ("gossip-crash.svg", "one crash: share of healthy members that know", "spread", ("crash-100", "crash-1000", "crash-4500")),
    ("gossip-join.svg", "how many members a node sees, on average", "sizes", ("bootstrap", "mass-restart", "partition")),
)  # fmt: skip
"""File, title, which curve, of which scenarios."""
CURVES = {name: curve for _, _, curve, names in PLOTS for name in names}


def missing(
    scenarios: list[Scenario], seeds: int, made_of: str | None
) -> Iterator[tuple[Scenario, str, int]]:
    """What has still to be run: the first seed of all, then the second, so that the table is even at any time."""
    for seed in range(1, seeds + 1):
        for scenario in scenarios:
            for whose in scenario.all:
                if not scenario.kept(whose, seed, made_of):
                    yield scenario, whose, seed


def collect(scenarios: list[Scenario], seeds: int, made_of: str | None) -> Runs:
    """What has been run."""
    runs: Runs = {}
    for scenario in scenarios:
        for whose in scenario.all:
            found = (scenario.kept(whose, seed, made_of) for seed in range(1, seeds + 1))
            runs.setdefault(scenario.name, {})[whose] = [run for run in found if run]
    return runs


def values(runs: list[Run], measure: str) -> list[float]:
    """A measure in all seeds in which it was there."""
    return [run["measures"][measure] for run in runs if measure in run["measures"]]


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


def figure(runs: list[Run], measure: str, of: str) -> str:
    """A number as it stands in the table."""
    got = values(runs, measure)
    value = combine(of, got)
    if value is None:
        return "never"
    text = f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"
    return text if len(got) == len(runs) else f"{text}, in {len(got)} of {len(runs)} seeds"


def rows(scenario: Scenario, runs: dict[str, list[Run]]) -> list[tuple[str, bool]]:
    """A scenario's rows of the table, and whether their bars are met."""
    ours = runs["ours"]
    title = f"{scenario.title} (`{scenario.name}`, {len(ours)} seeds)"
    if not ours:
        return [(f"| {scenario.title} (`{scenario.name}`) | not run | | | | | |", False)]
    lines = []
    for bar in [*scenario.bars, *scenario.compared]:
        measure, of = bar["measure"], bar["of"]
        got = combine(of, values(ours, measure))
        cells = [figure(ours, measure, of)]
        for rival in ("memberlist", "swim"):
            theirs = runs.get(rival, [])
            fewer = f" ({len(theirs)} seeds)" if len(theirs) != len(ours) else ""
            cells.append(figure(theirs, measure, of) + fewer if theirs else "–")
        if "at_most" in bar:
            # What did not happen in a seed has not been good enough in it.
            met = len(values(ours, measure)) == len(ours) and got is not None and got <= bar["at_most"]
            told = f"≤ {bar['at_most']:g}"
        else:
            theirs = runs.get(bar["rival"], [])
            both = min(len(ours), len(theirs))
            mine, their = (sum(values(some[:both], measure)) for some in (ours, theirs))
            met, told = (
                mine * bar["times"] <= their and both > 0,
                f"≥ {bar['times']:g}× fewer than {bar['rival']}",
            )
        what = f"{WORDS.get(measure, measure)}, {of}"
        lines.append(
            (f"| {title} | {what} | {' | '.join(cells)} | {told} | {'pass' if met else '**miss**'} |", met)
        )
    return lines


def plot(runs: Runs) -> None:
    """Draws who knows when, in the first seed."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "palaver"
    from matplotlib import pyplot

    for file, title, _, names in PLOTS:
        picture, axes = pyplot.subplots(figsize=(8, 4))
        for name in names:
            for whose, some in runs.get(name, {}).items():
                for run in some[:1]:
                    across, up = zip(*run["curve"], strict=True) if run["curve"] else ((), ())
                    axes.plot(across, up, label=f"{name} {whose}", drawstyle="steps-post")
        if axes.lines:
            axes.set(xlabel="seconds", ylabel="share", title=title)
            if file == "gossip-join.svg":
                axes.set_xscale("log")
            axes.legend(fontsize=8)
            axes.grid(alpha=0.3)
            picture.savefig(ROOT / "docs" / file, metadata={"Date": None})
        pyplot.close(picture)


def page(lines: list[str], runs: Runs) -> str:
    """The generated part of docs/gossip.md."""
    every = [run for some in runs.values() for kept in some.values() for run in kept]
    commits = ", ".join(dict.fromkeys(run["commit"] for run in sorted(every, key=lambda run: run["date"])))
    dates = " to ".join(sorted({run["date"] for run in every}))
    hours = sum(run["wall_seconds"] for run in every) / 3600
    head = (
        f"Command `make sim`, commit {commits}, {dates}, {os.cpu_count()} cores, {hours:.1f} hours of one. Times in "
        "seconds. Seeds count from 1; the same seed gives the same run. Of fewer than 100 seeds p99 is the largest."
    )
    table = [
        "| scenario | measured | ours | memberlist's rules | plain SWIM | bar | |",
        "|---|---|---|---|---|---|---|",
        *lines,
    ]
    pictures = [f"![{title}]({file})" for file, title, *_ in PLOTS if (ROOT / "docs" / file).exists()]
    return "\n".join([head, "", *table, "", *pictures])


def main() -> int:
    """Runs, prints, writes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scenarios", nargs="*", help="names of files in rust/sim/scenarios; all unless given")
    parser.add_argument("--seeds", type=int, default=20, help="seeds a scenario")
    parser.add_argument(
        "--jobs", type=int, default=1, help="runs at a time; one of 4,500 members takes up to 8 GB"
    )
    parser.add_argument(
        "--vouch",
        action="store_true",
        help="first see whether what other sources gave still comes out the same",
    )
    parser.add_argument("--older", action="store_true", help="count what was run with other sources, too")
    parser.add_argument("--report", action="store_true", help="run nothing")
    parser.add_argument("--write", action="store_true", help="write docs/gossip.md and the plots")
    arguments = parser.parse_args()
    scenarios = [Scenario(name, CURVES.get(name)) for name in arguments.scenarios or ORDER]
    counts = None if arguments.older else sources()
    with ThreadPoolExecutor(arguments.jobs) as pool:
        if arguments.vouch:
            kinds = [(scenario, whose) for scenario in scenarios for whose in scenario.all]
            found = pool.map(lambda kind: kind[0].vouch(kind[1], arguments.seeds), kinds)
            print(*filter(None, found), sep="\n", flush=True)
        if not arguments.report:
            wanted = missing(scenarios, arguments.seeds, counts)
            list(pool.map(lambda one: one[0].make(*one[1:]), wanted))
    runs = collect(scenarios, arguments.seeds, counts)
    lines = [row for scenario in scenarios for row in rows(scenario, runs[scenario.name])]
    print(*(line for line, _ in lines), sep="\n")
    if arguments.write:
        plot(runs)
        generated = f"{BEGIN}\n{page([line for line, _ in lines], runs)}\n{END}"
        text = PAGE.read_text()
        PAGE.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: generated, text, flags=re.DOTALL))
    print(f"{sum(met for _, met in lines)} of {len(lines)} bars met")
    return 0


if __name__ == "__main__":
    sys.exit(main())
