"""The gateway beside its rivals: CPU of the server per message, everything of ours switched on.

    make bench-gateway                                   # some minutes; puts the table into docs/benchmarks.md, with plots
    make bench-gateway ARGS="--dry"                      # only prints it
    make bench-gateway ARGS="--only relay --rivals ws"   # a part of it: works by their begin, rivals by a part of their name
    make bench-gateway ARGS="--growth"

Servers run on core 0 and the native load on core 1. How ratios are taken, and when one is left out: `gateway_pairs`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import NamedTuple

from gateway_alone import Found, idle_rate, measure_alone, measure_among_idle
from gateway_growth import growth
from gateway_node import Palaver, say
from gateway_pairs import AT_LEAST, FOREIGN, LOAD_CORE, TIMING, Outcome, Pair, Side, measure
from gateway_rivals import NOT_HERE, RIVALS, ROOT, install, serve
from gateway_wires import rival_plan
from msgspec.structs import replace

from palaver.bench.plan import Plan, Timing
from palaver.bench.plot import Bar, bars
from palaver.bench.run import Runner
from palaver.bench.scenario import adjusted, preset
from palaver.bench.server_process import ServerProcess

PAGE = ROOT / "docs" / "benchmarks.md"
PLOTS = ROOT / "docs" / "benchmarks"
PALAVER = "palaver"
ALONE = "alone"


class Work(NamedTuple):
    """What is measured: palaver's preset, how large, and the same for rivals."""

    preset: str
    size: int
    option: str
    """The option of the preset that is the size."""
    replies: bool | None = None
    unit: str = "message"
    seconds: float = TIMING.measure
    """Of a burst."""

    def plan(self, node: Palaver) -> Plan:
        """The work for our node, in rounds."""
        scenario = preset(self.preset)
        changes = {self.option: self.size, "replies": self.replies}
        return node.plan(adjusted(scenario, self.preset, **changes), self.timing)

    @property
    def timing(self) -> Timing:
        return replace(TIMING, measure=self.seconds)

    @property
    def name(self) -> str:
        return self.preset + (", with replies" if self.replies else "")


RELAY = Work("relay", 64, "pairs")
REQUEST = Work("relay", 64, "pairs", replies=True)
TRICKLE = Work("trickle", 64, "pairs", unit="candidate")
FANOUT = Work("fanout", 1000, "room_size", unit="delivery", seconds=0.8)  # some hundred whole fan-outs
JOINS = Work("joins", 32, "clients", unit="join")


class Row(NamedTuple):
    work: Work
    rival: str
    at_most: tuple[float, float] | None = None
    """Our CPU over theirs: bar and goal."""
    at_least: tuple[float, float] | None = None
    """Our messages per core over theirs: bar and goal."""


ROWS = (
    Row(RELAY, "C epoll relay", at_most=(2.6, 1.8)),
    Row(RELAY, "picows + msgspec", at_most=(1.35, 1.0)),
    Row(RELAY, "websockets + msgspec"),
    Row(RELAY, "gorilla (Go)"),
    Row(RELAY, "node ws"),
    Row(RELAY, "PeerJS server", at_least=(1.5, 2.3)),
    Row(RELAY, "socket.io", at_least=(2.2, 3.2)),
    Row(RELAY, "protoo, notify", at_least=(2.4, 3.5)),
    Row(RELAY, "Prosody"),
    Row(REQUEST, "protoo, request + notify", at_least=(2.5, 4.0)),
    Row(REQUEST, "Janus, plugin request", at_least=(2.5, 4.0)),
    Row(REQUEST, "Centrifuge library (Go)"),
    Row(TRICKLE, "C epoll relay", at_least=(0.8, 1.2)),
    Row(TRICKLE, "node ws"),
    Row(FANOUT, "node ws", at_least=(1.2, 1.5)),
    Row(FANOUT, "socket.io", at_least=(1.8, 2.3)),
    Row(FANOUT, "protoo, notify", at_least=(4.0, 5.0)),
    Row(FANOUT, "Centrifuge library (Go)"),
    Row(JOINS, "websockets + msgspec", at_least=(1.0, 1.5)),
)
IDLE_ROW = ROWS[0]
"""What both relay flat out, which the rate among idle sessions follows."""

Outcomes = dict[Row, Outcome]


def measure_rows(rows: list[Row], failed: dict[str, str]) -> Outcomes:
    """All pairs of these rows, work by work. A rival that does not start or work is put among the failed."""
    found: Outcomes = {}
    with ExitStack() as stack:
        node = Palaver(stack)
        servers = {}
        for name in dict.fromkeys(row.rival for row in rows):
            try:
                servers[name] = serve(RIVALS[name], stack)
            except OSError as error:
                failed[name] = f"does not start: {error}"
        for work in dict.fromkeys(row.work for row in rows):
            ours = side(work.plan(node), node.pid)
            for row in rows:
                if row.work == work and row.rival in servers:
                    server, port = servers[row.rival]
                    try:
                        theirs = side(
                            rival_plan(RIVALS[row.rival].wire, port, work.preset, work.size, work.timing),
                            server.pid,
                        )
                    except OSError as error:
                        failed[row.rival] = f"does not work: {error}"
                        continue
                    found[row] = measure(ours, theirs, lambda pair, row=row: tell(row, pair))  # type: ignore[misc]
                    theirs.close()
            ours.close()
    return found


def side(plan: Plan, pid: int) -> Side:
    return Side(Runner(plan, ServerProcess(pid)), pid)


def tell(row: Row, pair: Pair) -> None:
    ours, theirs = pair
    say(
        f"{row.work.name}, {row.rival}: {ours.cost:.2f} and {theirs.cost:.2f} µs, {pair.ratio:.3f}"
        f" (load {ours.load:.0%} and {theirs.load:.0%} of its core; others {ours.foreign:.0%} and {theirs.foreign:.0%})"
    )


def verdicts(rows: list[Row], found: Outcomes) -> Iterator[list[str]]:
    """The rows of the table."""
    for row in rows:
        outcome = found.get(row)
        if outcome is None:
            yield [row.work.name, f"{row.rival}: skipped", "", "", "", "", "", "", ""]
            continue
        ratio, (low, high) = outcome.ratio, outcome.spread
        unit = "its CPU"
        if not row.at_most:
            ratio, low, high, unit = 1 / ratio, 1 / high, 1 / low, "its messages"
        counted = f"{len(outcome.counted)} of {len(outcome.pairs)}{', **noisy**' if outcome.noisy else ''}"
        yield [
            row.work.name,
            row.rival,
            f"{outcome.ours:.1f} µs",
            f"{outcome.theirs:.1f} µs",
            f"{ratio:.2f}× {unit}",
            f"{low:.2f} to {high:.2f}",
            counted,
            *judged(ratio, row.at_most, row.at_least),
        ]


def judged(
    figure: float, at_most: tuple[float, float] | None, at_least: tuple[float, float] | None
) -> tuple[str, str]:
    """The bar with its goal, and the verdict."""
    if at_most is not None:
        bar, goal = at_most
        verdict = "goal met" if figure <= goal else "met" if figure <= bar else "**missed**"
        return f"≤ {bar:g}, goal ≤ {goal:g}", verdict
    if at_least is not None:
        bar, goal = at_least
        verdict = "goal met" if figure >= goal else "met" if figure >= bar else "**missed**"
        return f"≥ {bar:g}, goal ≥ {goal:g}", verdict
    return "", ""


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def facts(command: str, rounds: str) -> str:
    """What was run, of which commit, when and where."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    model = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line)
    system = os.uname()
    return (
        f"`{command}`, {datetime.now(UTC):%Y-%m-%d}, commit {commit}, {model.partition(': ')[2]}, {os.cpu_count()} cores,"
        f" {system.sysname} {system.release.split('-')[0]}, {rounds}; {os.getloadavg()[2]:.1f} processes wanted a core on"
        f" average of the last 15 minutes.\n\n"
    )


def section(rows: list[Row], found: Outcomes, alone: list[Found], skipped: dict[str, str]) -> str:
    head = ["work", "rival", "ours", "theirs", "ratio", "quartiles", "pairs", "bar", ""]
    said = [facts("make bench-gateway", f"pairs in which others had over {FOREIGN:.0%} of a core left out")]
    if rows:
        said.append(table(head, list(verdicts(rows, found))))
        if any(outcome.noisy for outcome in found.values()):
            said.append(
                f"\n**noisy**: fewer than {AT_LEAST} pairs were quiet, so all are counted. Run it again on a quiet machine.\n"
            )
        said.append("\n")
    if alone:
        lines = [
            [
                one.what,
                "none" if one.figure is None else f"{one.figure:.1f} {one.unit}",
                one.said,
                *judged(float("inf") if one.figure is None else one.figure, (one.bar, one.goal), None),
            ]
            for one in alone
        ]
        said.append(table(["by itself", "ours", "", "bar", ""], lines))
    said.append("\n" + "".join(f"Skipped: {name} ({why}).\n" for name, why in skipped.items()))
    return "".join(said)


def draw(found: Outcomes) -> None:
    """A plot for each work."""
    PLOTS.mkdir(exist_ok=True)
    for work in dict.fromkeys(row.work for row in found):
        outcomes = {row.rival: outcome for row, outcome in found.items() if row.work == work}
        costs = [Bar(rival, outcome.theirs) for rival, outcome in outcomes.items()]
        costs.append(Bar(PALAVER, median(outcome.ours for outcome in outcomes.values())))
        costs.sort(key=lambda bar: bar.value)
        title = f"{work.name}: server CPU per {work.unit}"
        name = work.name.replace(", ", "-").replace(" ", "-")
        (PLOTS / f"gateway-{name}.svg").write_text(bars(title, "µs", costs, PALAVER), "utf-8")


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The gateway beside its rivals.")
    works = sorted({row.work.preset for row in ROWS} | {ALONE})
    parser.add_argument("--only", choices=works, help="one work, or what is measured of ours alone")
    parser.add_argument("--rivals", help="only those with this in their name; more than one apart by |")
    parser.add_argument("--dry", action="store_true", help="write nothing; a part of the table never is")
    parser.add_argument("--growth", action="store_true", help="measure instead how costs grow")
    chosen = parser.parse_args()
    chosen.write = not (chosen.dry or chosen.only or chosen.rivals)
    return chosen


def compare(only: str | None, rivals: str | None, draws: bool) -> str:
    """The section of the page."""
    failed = install()
    skipped = {rival.name: failed[rival.needs] for rival in RIVALS.values() if rival.needs in failed}
    parts = rivals.lower().split("|") if rivals else [""]
    rows = [
        row
        for row in ROWS
        if only in (None, row.work.preset) and any(part in row.rival.lower() for part in parts)
    ]
    wanted = [row for row in rows if row.rival not in skipped]
    found = measure_rows(wanted, skipped) if wanted else {}
    alone: list[Found] = []
    if only in (None, ALONE) and not rivals:
        alone = list(measure_alone())
        if IDLE_ROW.rival not in skipped:
            flat_out = found.get(IDLE_ROW) or measure_rows([IDLE_ROW], skipped).get(IDLE_ROW)
            if flat_out is not None:
                ours = median(pair.ours.rate for pair in flat_out.counted)
                theirs = median(pair.theirs.rate for pair in flat_out.counted)
                alone.append(measure_among_idle(idle_rate(ours, theirs)))
    if draws:
        draw(found)
    return section(rows, found, alone, {**NOT_HERE, **skipped})


def main() -> None:
    chosen = options()
    began = time.monotonic()
    os.sched_setaffinity(0, {LOAD_CORE})
    if chosen.growth:
        part, text = "gateway growth", facts("make bench-gateway ARGS=--growth", "each point on a fresh node")
        text += growth(Palaver, PLOTS if chosen.write else None)
    else:
        part, text = "gateway", compare(chosen.only, chosen.rivals, chosen.write)
    print(text)
    say(f"{time.monotonic() - began:.0f} s")
    if chosen.write:
        before, _, after = PAGE.read_text().partition(f"<!-- {part} -->\n")
        after = after.partition(f"<!-- /{part} -->")[2]
        PAGE.write_text(f"{before}<!-- {part} -->\n{text}<!-- /{part} -->{after}")


if __name__ == "__main__":
    main()
