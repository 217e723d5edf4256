"""The gateway beside its rivals: CPU of the server per message, everything of ours switched on.

    make bench-gateway                       # a few minutes; prints the table
    make bench-gateway ARGS="--write"        # and writes it to docs/benchmarks.md, with plots
    make bench-gateway ARGS="--growth --write"

Servers run on core 0 and the native load on core 1, by turns in several rounds: the ratio is taken inside each round, and its
median counts. Absolute figures are medians, too.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import NamedTuple

from gateway_growth import growth
from gateway_rivals import NOT_HERE, RIVALS, ROOT, Server, install, rival_plan

from palaver.bench.figures import Figures, figures_of, latency
from palaver.bench.plan import Timing
from palaver.bench.plot import Bar, bars
from palaver.bench.run import Measurement, Runner
from palaver.bench.scenario import Scenario, adjusted, parse, preset
from palaver.bench.server_process import ServerProcess
from palaver.bench.target import target_of
from palaver.bench.wire import plan_of
from palaver.cli.bench import token_maker

CONFIG = ROOT / "benches" / "gateway.toml"
PAGE = ROOT / "docs" / "benchmarks.md"
PLOTS = ROOT / "docs" / "benchmarks"
LOAD_CORE = 1
PALAVER = "palaver"


class Work(NamedTuple):
    """What is measured: palaver's preset, how large, and the same for rivals."""

    preset: str
    size: int
    option: str
    """The option of the preset that is the size."""
    replies: bool | None = None
    unit: str = "message"

    @property
    def name(self) -> str:
        return self.preset + (", with replies" if self.replies else "")


RELAY = Work("relay", 64, "pairs")
REQUEST = Work("relay", 64, "pairs", replies=True)
TRICKLE = Work("trickle", 64, "pairs", unit="candidate")
FANOUT = Work("fanout", 1000, "room_size", unit="delivery")
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
    Row(REQUEST, "protoo, request + notify", at_least=(2.5, 4.0)),
    Row(TRICKLE, "C epoll relay", at_least=(0.8, 1.2)),
    Row(TRICKLE, "node ws"),
    Row(FANOUT, "node ws", at_least=(1.2, 1.5)),
    Row(FANOUT, "socket.io", at_least=(1.8, 2.3)),
    Row(FANOUT, "protoo, notify", at_least=(4.0, 5.0)),
    Row(JOINS, "websockets + msgspec", at_least=(1.0, 1.5)),
)


class Alone(NamedTuple):
    """A bar of ours that has no rival in it."""

    what: str
    bar: float
    goal: float
    unit: str
    figure: Callable[[Figures], float | None] | None
    """None: not of one run, but p99 among idle sessions beside the C relay."""
    preset: str
    changes: dict[str, float]


def _per_session(figures: Figures) -> float | None:
    grown = None if figures.server is None else figures.server.memory_per_session
    return None if grown is None else grown / 1024


IDLE, IDLE_RATE = 15_000, 8000.0
ALONE = (
    Alone("memory per joined session after traffic", 20, 15, "KiB", _per_session, "idle", {"sessions": 4000}),
    Alone(
        "300 joins into one room, p99",
        500,
        250,
        "ms",
        lambda figures: figures.entering_since_start and figures.entering_since_start.p99,
        "storm",
        {},
    ),
    Alone(
        "a reader that never reads, memory", 1024, 256, "KiB", _per_session, "slow-reader", {"seconds": 12}
    ),
    Alone(f"p99 at {IDLE_RATE:,.0f}/s among {IDLE:,} idle, over the C relay's", 1.5, 1.2, "×", None, "", {}),
)


class Palaver:
    """Our node, everything on, started afresh."""

    def __init__(self, stack: ExitStack) -> None:
        command = (
            Path(sys.executable).with_name("palaver"),
            "serve",
            "--config",
            CONFIG,
            "--port",
            "0",
            "--json",
        )
        self.server = stack.enter_context(Server((*command, "--set", "log.level=error"), show_errors=True))
        self.url = json.loads(self.server.first_line())["gateway"]
        self._token = token_maker(CONFIG, None, None)
        self._runs = 0

    def measure(self, name: str, scenario: Scenario) -> tuple[Figures, Measurement]:
        self._runs += 1
        plan = plan_of(scenario, target_of(self.url), self._token, f"b{self._runs}")
        measured = carried_out(Runner(plan, ServerProcess(self.server.pid)))
        figures = figures_of(name, self.url, scenario, measured, self.server.pid)
        for note in figures.notes:
            say(f"  note of {name}: {note}")
        return figures, measured


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def carried_out(runner: Runner) -> Measurement:
    for _ in runner.watch():
        pass
    return runner.finish()


def cpu_per_message(measured: Measurement) -> float:
    """Microseconds of the server's CPU for each message that arrived."""
    first, last = measured.first, measured.last
    if first is None or last is None or last.messages == first.messages:
        return float("nan")
    return (last.cpu - first.cpu) / (last.messages - first.messages) * 1e6


Figure = dict[tuple[str, str], list[float]]
"""(work, who) → a figure for each round."""


def measure_side_by_side(rounds: int, seconds: float, missing: dict[str, str]) -> Figure:
    """All works by turns, each server once in each round; the order turns round with every round."""
    taken: Figure = defaultdict(list)
    timing = Timing(warm_up=seconds / 3, measure=seconds)
    with ExitStack() as stack:
        ours = Palaver(stack)
        ports: dict[str, tuple[int, int]] = {}
        for name in dict.fromkeys(row.rival for row in ROWS):
            if RIVALS[name].needs not in missing:
                server = stack.enter_context(Server(RIVALS[name].command))
                ports[name] = int(server.first_line()), server.pid
        for turn in range(-1, rounds):  # the first is not counted: compilers at run time are still at work
            for work in dict.fromkeys(row.work for row in ROWS):
                who = [PALAVER, *(row.rival for row in ROWS if row.work == work and row.rival in ports)]
                for name in who if turn % 2 == 0 else reversed(who):
                    if name == PALAVER:
                        changes = {work.option: work.size, "replies": work.replies}
                        scenario = adjusted(
                            preset(work.preset),
                            work.preset,
                            seconds=seconds,
                            warm_up=timing.warm_up,
                            **changes,
                        )
                        measured = ours.measure(work.name, scenario)[1]
                    else:
                        port, pid = ports[name]
                        plan = rival_plan(RIVALS[name].wire, port, work.preset, work.size, timing)
                        measured = carried_out(Runner(plan, ServerProcess(pid)))
                    cost = cpu_per_message(measured)
                    if turn >= 0:
                        taken[work.name, name].append(cost)
                    busy = measured.report.cpu / max(1, measured.report.measured)
                    say(f"round {turn + 1}, {work.name}, {name}: {cost:.2f} µs (load {busy:.0%} of its core)")
    return taken


def measure_alone(rounds: int, with_relay: bool) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for alone in ALONE:
        if alone.figure is None:
            found[alone.what] = measure_among_idle(rounds, IDLE, IDLE_RATE) if with_relay else None
        else:
            scenario = adjusted(preset(alone.preset), alone.preset, **alone.changes)
            with ExitStack() as stack:
                found[alone.what] = alone.figure(Palaver(stack).measure(alone.preset, scenario)[0])
        say(f"{alone.what}: {found[alone.what]} {alone.unit}")
    return found


def measure_among_idle(rounds: int, sessions: int, rate: float) -> float | None:
    """p99 among many idle sessions, over that of the C relay: the median of the rounds in which the node kept up.

    None: in none of them it did, because the machine gave it too little of its core.
    """
    relay = RIVALS["C epoll relay"]
    text = f"""
        connect-seconds = 120
        seconds = 4
        [[stage]]
        kind = "idle"
        sessions = {sessions}
        messages = 0
        [[stage]]
        kind = "relay"
        rate = {rate}
    """
    timing = Timing(connect=120, warm_up=1, measure=4)
    ratios = []
    for turn in range(rounds):
        with ExitStack() as stack:
            figures = Palaver(stack).measure("idle and relay", parse(text, "idle and relay"))[0]
        with ExitStack() as stack:
            server = stack.enter_context(Server(relay.command))
            plan = rival_plan(relay.wire, int(server.first_line()), "idle", sessions, timing, rate)
            theirs = latency(carried_out(Runner(plan, ServerProcess(server.pid))).report.stages[0].latency)
        ours = figures.stages[1].latency
        if ours is None or theirs is None or figures.stages[1].lost or figures.stages[1].left_out:
            say(
                f"round {turn + 1}, p99 among {sessions} idle: the node was overloaded, which is no figure of latency"
            )
            continue
        ratios.append(ours.p99 / theirs.p99)
        say(f"round {turn + 1}, p99 among {sessions} idle: {ours.p99:.2f} ms, C relay {theirs.p99:.2f} ms")
    return median(ratios) if ratios else None


def verdicts(taken: Figure) -> Iterator[list[str]]:
    """The rows of the table."""
    for work, rival, at_most, at_least in ROWS:
        ours, theirs = taken.get((work.name, PALAVER)), taken.get((work.name, rival))
        if not ours or not theirs:
            yield [work.name, f"{rival}: skipped", "", "", "", ""]
            continue
        times = median(b / a for a, b in zip(ours, theirs, strict=True))
        shown = f"{1 / times:.2f}× its CPU" if at_most else f"{times:.2f}× its messages"
        yield [
            work.name,
            rival,
            f"{median(ours):.1f} µs",
            f"{median(theirs):.1f} µs",
            shown,
            *judged(1 / times if at_most else times, at_most, at_least),
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


def section(taken: Figure, alone: dict[str, float | None], skipped: dict[str, str], rounds: int) -> str:
    said = [
        facts("make bench-gateway", f"{rounds} rounds"),
        table(["work", "rival", "ours", "theirs", "ratio", "bar", ""], list(verdicts(taken))),
        "\n",
    ]
    rows = [
        [
            one.what,
            "none: overloaded or skipped" if figure is None else f"{figure:.1f} {one.unit}",
            *judged(float("inf") if figure is None else figure, (one.bar, one.goal), None),
        ]
        for one in ALONE
        for figure in [alone[one.what]]
    ]
    said.append(table(["by itself", "ours", "bar", ""], rows))
    said.append("\n" + "".join(f"Skipped: {name} ({why}).\n" for name, why in skipped.items()))
    return "".join(said)


def draw(taken: Figure) -> None:
    """A plot for each work."""
    PLOTS.mkdir(exist_ok=True)
    for work in dict.fromkeys(row.work for row in ROWS):
        costs = [Bar(who, median(each)) for (name, who), each in taken.items() if name == work.name]
        costs.sort(key=lambda bar: bar.value)
        title = f"{work.name}: server CPU per {work.unit}"
        name = work.name.replace(", ", "-").replace(" ", "-")
        (PLOTS / f"gateway-{name}.svg").write_text(bars(title, "µs", costs, PALAVER), "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="The gateway beside its rivals.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each measurement")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    parser.add_argument("--growth", action="store_true", help="measure instead how costs grow")
    options = parser.parse_args()
    began = time.monotonic()
    os.sched_setaffinity(0, {LOAD_CORE})
    if options.growth:
        part, text = "gateway growth", facts("make bench-gateway ARGS=--growth", "each point on a fresh node")
        text += growth(Palaver, PLOTS if options.write else None)
    else:
        part, missing = "gateway", install()
        taken = measure_side_by_side(options.rounds, options.seconds, missing)
        alone = measure_alone(options.rounds, "gcc" not in missing)
        absent = {rival.name: missing[rival.needs] for rival in RIVALS.values() if rival.needs in missing}
        text = section(taken, alone, {**NOT_HERE, **absent}, options.rounds)
        if options.write:
            draw(taken)
    print(text)
    say(f"{time.monotonic() - began:.0f} s")
    if options.write:
        before, _, after = PAGE.read_text().partition(f"<!-- {part} -->\n")
        after = after.partition(f"<!-- /{part} -->")[2]
        PAGE.write_text(f"{before}<!-- {part} -->\n{text}<!-- /{part} -->{after}")


if __name__ == "__main__":
    main()
