"""Our node under load, as the gateway's benches start it: everything on."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path

from gateway_rivals import PEERS, ROOT, Server
from msgspec.structs import replace

from palaver.bench.figures import Figures, figures_of
from palaver.bench.plan import Plan, Timing
from palaver.bench.run import Measurement, Runner
from palaver.bench.scenario import Scenario
from palaver.bench.server_process import ServerProcess
from palaver.bench.target import target_of
from palaver.bench.wire import plan_of
from palaver.cli.bench import token_maker

CONFIG = ROOT / "benches" / "gateway.toml"
LOG = PEERS / "palaver.log"


class Palaver:
    """A node started afresh; it ends with the stack. It logs at INFO, into a file."""

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
        PEERS.mkdir(parents=True, exist_ok=True)
        self.server = stack.enter_context(Server((*command, "--set", "log.level=info"), log=LOG))
        self.url = json.loads(self.server.first_line())["gateway"]
        self.pid = self.server.pid
        self._token = token_maker(CONFIG, None, None)
        self._runs = 0

    def plan(self, scenario: Scenario, timing: Timing | None = None) -> Plan:
        """The scenario as a plan against this node, with identities and rooms that no plan had before."""
        self._runs += 1
        plan = plan_of(scenario, target_of(self.url), self._token, f"b{self._runs}")
        return plan if timing is None else replace(plan, timing=timing)

    def measure(self, name: str, scenario: Scenario) -> tuple[Figures, Measurement]:
        measured = carried_out(Runner(self.plan(scenario), ServerProcess(self.pid)))
        figures = figures_of(name, self.url, scenario, measured, [self.pid])
        for note in figures.notes:
            say(f"  note of {name}: {note}")
        return figures, measured


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def carried_out(runner: Runner) -> Measurement:
    for _ in runner.watch():
        pass
    return runner.finish()
