"""Ours and a rival's, burst after burst: what one message costs each, and how sure that is.

Both servers stay up and their clients connected. A pair is a burst of some tenths of a second on each, back to back; which is
first turns round with every pair. The ratio is taken inside the pair, so that whatever lasts longer than a second (clocks of the
processor, neighbours on the machine, caches) is in both. A pair in which others had more than `FOREIGN` of a core is left out.
The figure is the median over the others, and their quartiles tell how sure it is.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

from palaver.bench.plan import Timing
from palaver.bench.run import Measurement, Runner

LOAD_CORE = 1
PAIRS = 11
"""That are wanted of each row."""
AT_LEAST = 9
"""Quiet ones below which a row is called noisy."""
AT_MOST = 17
"""That are tried until enough of them were quiet."""
FOREIGN = 0.10
"""Share of a core. They are counted in ticks of 10 ms, which come to some hundredths on a quiet machine."""
LONG_ENOUGH = 3
"""Pairs before the first that counts: compilers at run time (V8) are still at work in them."""
TIMING = Timing(connect=60, settle=0.1, warm_up=0.08, measure=0.35, drain=1.0, rounds=True)


class Burst(NamedTuple):
    cost: float
    """Microseconds of the server's CPU, all threads, per message that arrived."""
    rate: float
    """Messages that arrived per second."""
    foreign: float
    """What others had of this machine's cores: a share of one."""
    load: float
    """What the load thread used of its core."""


class Pair(NamedTuple):
    ours: Burst
    theirs: Burst

    @property
    def ratio(self) -> float:
        """Our CPU over theirs."""
        return self.ours.cost / self.theirs.cost

    @property
    def quiet(self) -> bool:
        return max(self.ours.foreign, self.theirs.foreign) <= FOREIGN


class Outcome(NamedTuple):
    """All pairs of a row."""

    pairs: list[Pair]

    @property
    def counted(self) -> list[Pair]:
        """The quiet ones; all of them where there are too few."""
        quiet = [pair for pair in self.pairs if pair.quiet]
        return quiet if len(quiet) >= AT_LEAST else self.pairs

    @property
    def noisy(self) -> bool:
        """Whether loud pairs had to be counted, too."""
        return not all(pair.quiet for pair in self.counted)

    @property
    def ratio(self) -> float:
        return median(pair.ratio for pair in self.counted)

    @property
    def spread(self) -> tuple[float, float]:
        """The quartiles of the ratio."""
        return quartiles([pair.ratio for pair in self.counted])

    @property
    def ours(self) -> float:
        return median(pair.ours.cost for pair in self.counted)

    @property
    def theirs(self) -> float:
        return median(pair.theirs.cost for pair in self.counted)


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    first, _, third = quantiles(values, n=4, method="inclusive") if len(values) > 1 else (values[0],) * 3
    return first, third


def others(known: Collection[int]) -> dict[int, int]:
    """Ticks of CPU time so far of all processes but the `known`; under 0 what the machine's host took for itself
    (proc_pid_stat(5), proc_stat(5)).

    Children that have ended are not counted with their parents: they come with all that they ever used, at the moment in which
    they are waited for. So one that begins and ends inside a burst is missed, but none makes a quiet burst loud. What is
    neither idle nor anybody's is left out: a core that is woken a lot spends a tenth so. Processes of other containers do not
    show.
    """
    ticks = {0: int(Path("/proc/stat").read_text().split()[8])}
    for process in os.scandir("/proc"):
        if process.name.isdigit() and int(process.name) not in known:
            with contextlib.suppress(OSError):  # it has ended
                after_its_name = Path(process.path, "stat").read_text().rpartition(")")[2].split()
                ticks[int(process.name)] = sum(map(int, after_its_name[11:13]))
    return ticks


class Side:
    """One server with its clients, connected and silent between bursts."""

    def __init__(self, runner: Runner, pid: int) -> None:
        self._runner = runner
        self._known = {pid, os.getpid()}
        runner.wait_until_in()

    def burst(self) -> tuple[Burst, Measurement]:
        began, before = time.monotonic(), others(self._known)
        measured = self._runner.round()
        ticks = sum(max(0, after - before.get(pid, 0)) for pid, after in others(self._known).items())
        foreign = ticks / os.sysconf("SC_CLK_TCK") / (time.monotonic() - began)
        report, first, last = measured.report, measured.first, measured.last
        if first is None or last is None or last.messages == first.messages:
            raise OSError(f"nothing arrived in a round: {report.errors} {report.closes}")
        messages = last.messages - first.messages
        cost = (last.cpu - first.cpu) / messages * 1e6
        rate = messages / (last.time - first.time)
        return Burst(cost, rate, foreign, report.cpu / report.measured), measured

    def close(self) -> None:
        self._runner.stop()
        self._runner.finish()


def measure(ours: Side, theirs: Side, told: Callable[[Pair], None]) -> Outcome:
    """Pairs until enough of them were quiet."""
    pairs: list[Pair] = []
    for turn in range(-LONG_ENOUGH, AT_MOST):
        if turn % 2 == 0:
            first = ours.burst()[0]
            pair = Pair(first, theirs.burst()[0])
        else:
            second = theirs.burst()[0]
            pair = Pair(ours.burst()[0], second)
        if turn >= 0:
            pairs.append(pair)
            told(pair)
        if sum(pair.quiet for pair in pairs) >= PAIRS:
            break
    return Outcome(pairs)
