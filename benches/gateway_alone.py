"""What the gateway is held to by itself: memory, a storm of joins, readers that never read, latency among idle sessions."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import Any, NamedTuple

from gateway_node import Palaver, say
from gateway_pairs import FOREIGN, LOAD_CORE, Burst, Pair, Side, quartiles
from gateway_rivals import RIVALS, serve
from gateway_wires import rival_plan

from palaver.bench.figures import Figures, Latency, latency
from palaver.bench.plan import Plan, Timing
from palaver.bench.run import Runner
from palaver.bench.scenario import adjusted, parse, preset
from palaver.bench.server_process import ServerProcess

IDLE = 15_000
IDLE_RATE = 8000.0
"""Messages per second at most, on a machine whose core bears them."""
SHARE_OF_OURS, SHARE_OF_RELAY = 0.6, 0.25
"""Of what each server relays flat out on this machine: the rate is what both bear."""
IDLE_ROUNDS = 9
IDLE_ROUNDS_AT_MOST = 18
IDLE_TIMING = Timing(connect=240, settle=0.5, warm_up=0.4, measure=1.5, drain=3.0, rounds=True)


class Alone(NamedTuple):
    """A bar of ours that has no rival in it."""

    what: str
    bar: float
    goal: float
    unit: str
    figure: Callable[[Figures], float | None]
    preset: str
    changes: dict[str, float]


class Found(NamedTuple):
    """A line of the table."""

    what: str
    bar: float
    goal: float
    unit: str
    figure: float | None
    said: str = ""


def _per_session(figures: Figures) -> float | None:
    grown = None if figures.server is None else figures.server.memory_per_session
    return None if grown is None else grown / 1024


def _storm_p99(figures: Figures) -> float | None:
    return figures.entering_since_start and figures.entering_since_start.p99


ALONE = (
    Alone("memory per joined session after traffic", 20, 15, "KiB", _per_session, "idle", {"sessions": 4000}),
    Alone("300 joins into one room, p99", 500, 250, "ms", _storm_p99, "storm", {}),
    Alone(
        "a reader that never reads, memory", 1024, 256, "KiB", _per_session, "slow-reader", {"seconds": 12}
    ),
)
STORMS = 5
"""A storm is over in a moment: the median of some, each on a fresh node."""


def measure_alone() -> Iterator[Found]:
    for alone in ALONE:
        scenario = adjusted(preset(alone.preset), alone.preset, **alone.changes)
        figures = []
        for _ in range(STORMS if alone.preset == "storm" else 1):
            with ExitStack() as stack:
                figure = alone.figure(Palaver(stack).measure(alone.preset, scenario)[0])
            if figure is not None:
                figures.append(figure)
        said = (
            f"{min(figures):.0f} to {max(figures):.0f} in {len(figures)} storms" if len(figures) > 1 else ""
        )
        found = median(figures) if figures else None
        say(f"{alone.what}: {found} {alone.unit} {said}")
        yield Found(alone.what, alone.bar, alone.goal, alone.unit, found, said)


_side: Side | None = None
"""Of a process of its own: it holds the clients of one server, since a process may not open as many files as two need."""


def _connect(plan: Plan, pid: int) -> float | None:
    """Lets everybody in. Returns the server's memory for each, in KiB."""
    global _side
    os.sched_setaffinity(0, {LOAD_CORE})
    server = ServerProcess(pid)
    before = server.memory()
    _side = Side(Runner(plan, server), pid)
    after = server.memory()
    return None if before is None or after is None else (after - before) / len(plan.clients) / 1024


def _round() -> tuple[Burst, Latency | None, bool]:
    """What it cost, how long messages took, and whether the server was overloaded."""
    assert _side is not None, "_connect came first"
    burst, measured = _side.burst()
    stage = measured.report.stages[-1]
    return burst, latency(stage.latency), bool(stage.lost or stage.undrained or stage.left_out)


@contextmanager
def _held(plan: Plan, pid: int) -> Iterator[tuple[ProcessPoolExecutor, float | None]]:
    """Clients in a process of their own, connected; what each takes of the server's memory in KiB."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        yield process, process.submit(_connect, plan, pid).result()


def idle_rate(ours: float, relay: float) -> float:
    """The rate that both bear, of what they relay flat out per second on this machine."""
    return min(IDLE_RATE, round(min(SHARE_OF_OURS * ours, SHARE_OF_RELAY * relay), -2))


def measure_among_idle(rate: float) -> Found:
    """As `_among_idle`; where it cannot be measured, why."""
    try:
        return _among_idle(rate)
    except OSError as error:  # such as clients that were not let in: the machine has no time for 30,000
        say(f"p99 among {IDLE:,} idle: {error}")
        return Found(
            f"p99 among {IDLE:,} idle, over the C relay's", 1.5, 1.2, "×", None, f"not measured: {error}"
        )


def _among_idle(rate: float) -> Found:
    """p99 at that rate among many idle sessions, over that of the C relay.

    Both stay up with all their sessions, and rounds go by turns. One in which a server was overloaded or strangers had too much
    of a core is left out, for a queue that grows has no latency of its own.
    """
    relay = RIVALS["C epoll relay"]
    text = f'[[stage]]\nkind = "idle"\nsessions = {IDLE}\nmessages = 0\n[[stage]]\nkind = "relay"\nrate = {rate}\n'
    pairs: list[tuple[float, float]] = []
    left_out = tried = 0
    with ExitStack() as stack:
        node = Palaver(stack)
        server, port = serve(relay, stack)
        ours_plan = node.plan(parse(text, "idle and relay"), IDLE_TIMING)
        ours, our_memory = stack.enter_context(_held(ours_plan, node.pid))
        theirs_plan = rival_plan(relay.wire, port, "idle", IDLE, IDLE_TIMING, rate)
        theirs, their_memory = stack.enter_context(_held(theirs_plan, server.pid))
        while len(pairs) < IDLE_ROUNDS and tried < IDLE_ROUNDS_AT_MOST:
            tried += 1
            done: dict[Any, tuple[Burst, Latency | None, bool]] = {}
            for who in (ours, theirs) if tried % 2 else (theirs, ours):
                done[who] = who.submit(_round).result()
            (burst, our_latency, our_load), (other, their_latency, their_load) = done[ours], done[theirs]
            if our_latency is None or their_latency is None:
                raise OSError("nothing arrived among idle sessions")
            quiet = Pair(burst, other).quiet
            say(
                f"round {tried} at {rate:,.0f}/s among {IDLE:,} idle: p99 {our_latency.p99:.2f} ms, C relay "
                f"{their_latency.p99:.2f} ms{'' if quiet else ' (loud)'}{' (overloaded)' if our_load or their_load else ''}"
            )
            if our_load or their_load or not quiet:
                left_out += 1
                continue
            pairs.append((our_latency.p99, their_latency.p99))
    what = f"p99 at {rate:,.0f}/s among {IDLE:,} idle, over the C relay's"
    memory = (
        f"an idle session takes {our_memory or 0:.1f} KiB of ours, {their_memory or 0:.1f} of the relay's"
    )
    reasons = (
        f"{left_out} of {tried} rounds left out (overloaded, or strangers had over {FOREIGN:.0%} of a core)"
    )
    if not pairs:
        return Found(what, 1.5, 1.2, "×", None, f"{reasons}; {memory}")
    ratios = [own / other for own, other in pairs]
    low, high = quartiles(ratios)
    said = (
        f"{median(own for own, _ in pairs):.2f} against {median(other for _, other in pairs):.2f} ms, quartiles {low:.2f} to "
        f"{high:.2f}×; {reasons}; {memory}"
    )
    return Found(what, 1.5, 1.2, "×", median(ratios), said)
