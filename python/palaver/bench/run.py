"""Carries a plan out and watches the server meanwhile."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from palaver.bench.plan import Plan
from palaver.bench.server_process import ServerProcess
from palaver.core import LoadRun

POLL_SECONDS: Final = 0.02
SAMPLE_SECONDS: Final = 0.1
ROUND_POLL_SECONDS: Final = 0.005
"""So that of a round of some tenths of a second little is missed."""
SPARE_FILES: Final = 64
"""Descriptors beside those of the clients."""

Buckets = list[tuple[int, int]]
"""Nanoseconds, and how often they came."""


class Progress(Struct, frozen=True):
    """How far a run is; counts are since it began."""

    phase: str
    ready: int
    failed: int
    sent: int
    arrived: int
    replies: int
    cycles: int
    others: int
    errors: int
    closed: int
    bytes_in: int
    bytes_out: int
    cpu: int
    """CPU time of the load thread in nanoseconds."""

    @property
    def messages(self) -> int:
        """What a server's cost is divided by."""
        return self.arrived + self.cycles


class StageReport(Struct, frozen=True):
    name: str
    sent: int
    arrived: int
    in_time: int
    """Those that arrived while it was measured, and not in the seconds that are waited for the last."""
    replies: int
    refused: int
    """Messages that were refused while they were waited for."""
    lost: int
    """Deliveries and replies that never come: what was sent after them has been answered."""
    undrained: int
    """Deliveries and replies that had not come when they were waited for no longer."""
    limited: tuple[int, int] | None
    """From when on messages were refused or lost, in nanoseconds since measuring began, and how many arrived in time
    after that."""
    overdue: int
    """Messages (or bursts) of an open loop that were due, but not sent, when measuring ended."""
    left_out: int
    """Messages of an open loop that were not sent, because too much was under way."""
    latency: Buckets
    reply_latency: Buckets
    lateness: Buckets
    """How late an open loop sent."""


class Report(Struct, frozen=True):
    """What the native core found; durations in nanoseconds."""

    stages: list[StageReport]
    ready: int
    failed: int
    ready_after: Buckets
    ready_since_start: Buckets
    settled: int
    errors: list[tuple[str, int, str, int | None]]
    """Why, how often, the first of them, and the longest time in milliseconds after which to try again."""
    closes: list[tuple[int, int]]
    moves: list[tuple[str, int]]
    """Addresses that clients were sent to while they got in, and how often."""
    others: int
    measured: int
    cpu: int
    """Of the load thread, while it was measured."""
    waited: int
    """How long it wanted a core meanwhile, and had none."""
    entry: int
    """From the beginning until everybody was in, or not let in."""
    entry_cpu: int
    entry_waited: int
    stopped: bool


class Sample(NamedTuple):
    """The server and the run at one moment."""

    time: float
    cpu: float
    memory: int
    messages: int


class Measurement(NamedTuple):
    """A run that is over."""

    report: Report
    before: Sample | None
    """Before anybody connected; None: the server's process is not known."""
    settled: Sample | None
    """When everybody was in and quiet."""
    first: Sample | None
    last: Sample | None
    """The first and the last of the time that was measured."""
    peak_memory: int


class Runner:
    """Carries a plan out. Iterate over `watch` until it ends, then call `finish`."""

    def __init__(self, plan: Plan, server: ServerProcess | None) -> None:
        raise_file_limit(len(plan.clients) + SPARE_FILES)
        self._server = server
        self._before = self._sample(0)
        self._settled: Sample | None = None
        self._first: Sample | None = None
        self._last: Sample | None = None
        self._over = False
        self._peak = self._before.memory if self._before else 0
        self._run = LoadRun(plan)

    def watch(self) -> Iterator[Progress]:
        """Yields every 20 ms how far it is, until it is over."""
        while not self._run.is_finished():
            progress = self._progress()
            self._look(progress)
            yield progress
            time.sleep(POLL_SECONDS)
        self._look(self._progress())

    def wait_until_in(self) -> None:
        """Of a plan in rounds: until everybody is in and quiet. Raises OSError where somebody is not let in."""
        while (progress := self._progress()).phase in ("connecting", "settling"):
            time.sleep(POLL_SECONDS)
        if progress.failed or self._run.is_finished():
            reasons = msgspec.convert(self._ended(), Report).errors
            raise OSError(f"{progress.failed} clients were not let in: {reasons}")
        self._settled = self._sample(0)

    def round(self) -> Measurement:
        """Of a plan in rounds: carries the next one out; its report's stages are of this round alone.

        The server is looked at when polling first finds that it is measured and when the round is over; where polling
        comes too late for the first, then the look before the round stands. So messages arrive between the two in any case.
        """
        self._first = self._sample(self._progress().messages)
        self._run.go()
        measuring = False
        while (found := self._run.take_round()) is None:
            progress = self._progress()
            if progress.phase == "measuring" and not measuring:
                measuring, self._first = True, self._sample(progress.messages)
            elif progress.phase == "done":
                raise OSError("the run ended inside a round")
            time.sleep(ROUND_POLL_SECONDS)
        self._last = self._sample(self._progress().messages)
        report = msgspec.convert(found, Report)
        return Measurement(report, self._before, self._settled, self._first, self._last, self._peak)

    def _progress(self) -> Progress:
        return msgspec.convert(self._run.progress(), Progress)

    def _ended(self) -> dict[str, Any]:
        self._run.stop()
        return self._run.finish()

    def stop(self) -> None:
        """Ends it early; what was found until then is kept. Called again, it ends at once."""
        self._run.stop()

    def finish(self) -> Measurement:
        """Raises OSError where the kernel refuses what the load needs."""
        report = msgspec.convert(self._run.finish(), Report)
        return Measurement(report, self._before, self._settled, self._first, self._last, self._peak)

    def _look(self, progress: Progress) -> None:
        """Looks at the server: once when all are in, every 0.1 s while it is measured, and once after that."""
        phase = progress.phase
        over = phase in ("draining", "closing", "done")
        due = self._last is None or time.monotonic() - self._last.time >= SAMPLE_SECONDS
        wanted = self._settled is None or over or (phase == "measuring" and due)
        if phase in ("connecting", "settling") or self._over or not wanted:
            return
        sample = self._sample(progress.messages)
        if sample is None:
            return
        self._peak = max(self._peak, sample.memory)
        self._settled = self._settled or sample
        if phase == "measuring" or over:
            self._first, self._last = self._first or (self._settled if over else sample), sample
        self._over = over

    def _sample(self, messages: int) -> Sample | None:
        if self._server is None:
            return None
        cpu, memory = self._server.cpu_seconds(), self._server.memory()
        return None if cpu is None or memory is None else Sample(time.monotonic(), cpu, memory, messages)


def raise_file_limit(needed: int) -> None:
    """Lets this process hold so many descriptors. Raises OSError where the hard limit is lower."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= needed or soft == resource.RLIM_INFINITY:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise OSError(f"{needed} open files are needed and {hard} allowed: raise the hard limit (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
