"""Scenarios of the simulator and what each seed of them gave: a line for each run in benches/simulated.

What was made of other sources or another scenario counts no more, unless `vouch` has found that today's sources give the
same: a run is its seed and nothing else, so one that comes out again to the last digit speaks for those made beside it. A
measure that no bar asks for may have come out otherwise, because it is taken otherwise: then it is forgotten.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import tomllib
from datetime import date
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SCENARIOS = ROOT / "rust/sim/scenarios"
KEPT = ROOT / "benches/simulated"
Run = dict[str, Any]


@cache
def sources() -> str:
    """What the simulator is made of, as one short hash."""
    files = sorted(path for part in ("core", "sim") for path in (ROOT / "rust" / part / "src").rglob("*.rs"))
    whole = hashlib.sha256()
    for path in files:
        whole.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    return whole.hexdigest()[:12]


@cache
def commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


class Scenario:
    """A file of rust/sim/scenarios and its kept runs; `curve` names what is drawn of its first seed, if anything."""

    def __init__(self, name: str, curve: str | None = None) -> None:
        self.name, self.path = name, SCENARIOS / f"{name}.toml"
        said = tomllib.loads(self.path.read_text())
        self.title, self.bars = said["title"], said.get("bars", [])
        self.compared = said.get("compared", [])
        # Besides what is shown, how many inputs all engines had: as good as proof that they did the same.
        self._asked = {"handled", *(bar["measure"] for bar in [*self.bars, *self.compared])}
        self.all = ["ours", *said.get("rivals", [])]
        # Titles and bars may change: what they judge stays the same.
        telling = {
            key: value for key, value in said.items() if key not in {"title", "bars", "compared", "rivals"}
        }
        self.digest = hashlib.sha256(json.dumps(telling, sort_keys=True).encode()).hexdigest()[:12]
        self._curve, self._place, self._lock = curve, KEPT / f"{name}.jsonl", Lock()
        self._runs: dict[tuple[str, int], Run] = {}
        if self._place.exists():
            lines = map(json.loads, self._place.read_text().splitlines())
            self._runs = {(run["whose"], run["seed"]): run for run in lines if run["scenario"] == self.digest}

    def kept(self, whose: str, seed: int, made_of: str | None) -> Run | None:
        """A run that was made before; of any sources unless told which."""
        run = self._runs.get((whose, seed))
        return run if run and made_of in {None, run["sources"]} else None

    def make(self, whose: str, seed: int) -> None:
        """Runs one seed and keeps what came of it."""
        self._keep(self._run(whose, seed))

    def vouch(self, whose: str, seeds: int) -> str | None:
        """Has older runs count if the first of each kind comes out as it did. Returns what was found, None without any."""
        older: dict[str, list[Run]] = {}
        for seed in range(1, seeds + 1):
            run = self.kept(whose, seed, None)
            if run and run["sources"] != sources():
                older.setdefault(run["sources"], []).append(run)
        found = []
        for before, runs in older.items():
            again, first = self._run(whose, runs[0]["seed"])["measures"], runs[0]["measures"]
            other = {name for name in {*again, *first} if again.get(name) != first.get(name)}
            if not other & self._asked:
                self._keep(*(_without(other, run) | {"sources": sources()} for run in runs))
            outcome = "the same" if not other else f"otherwise in {', '.join(sorted(other))}"
            found.append(f"{len(runs)} of {before} come out {outcome}")
        return f"{self.name}, {whose}: {', '.join(found)}" if found else None

    def _run(self, whose: str, seed: int) -> Run:
        binary = ROOT / "target/release/palaver-sim"
        options = ["--seeds", "1", "--first", str(seed), "--whose", whose]
        line = subprocess.run(
            [binary, *options, self.path], check=True, stdout=subprocess.PIPE, text=True
        ).stdout
        told = json.loads(line)
        run = {
            "whose": whose,
            "seed": seed,
            "scenario": self.digest,
            "sources": sources(),
            "commit": commit(),
        }
        run |= {"date": str(date.today()), "wall_seconds": round(told["wall_seconds"], 1)}
        run |= {"measures": {name: value for name, (value,) in told["measures"].items()}}
        if seed == 1 and self._curve == "spread":
            run["curve"] = told["spread"]
        elif seed == 1 and self._curve == "sizes":
            run["curve"] = [(sample["at"], sample["sizes"][1] / told["nodes"]) for sample in told["samples"]]
        return run

    def _keep(self, *runs: Run) -> None:
        with self._lock:
            self._runs |= {(run["whose"], run["seed"]): run for run in runs}
            self._place.parent.mkdir(exist_ok=True)
            whole = self._place.with_suffix(".part")
            whole.write_text("".join(f"{json.dumps(run)}\n" for _, run in sorted(self._runs.items())))
            whole.replace(self._place)


def _without(names: set[str], run: Run) -> Run:
    return run | {"measures": {name: value for name, value in run["measures"].items() if name not in names}}
