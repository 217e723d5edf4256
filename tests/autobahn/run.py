"""Runs Autobahn's fuzzing client, cases 1-7 and 10, against the gateway; exits 1 if a case fails unexplained.

    python tests/autobahn/run.py [case ...]        a case may be a pattern: 7.* or 6.4.3

The suite needs Python 2.7: looked for on PATH and among pyenv's versions. Where there is none, or it cannot install
the suite, this says so and exits 0: our own frame tests cover the same rules in the test run. Everything is kept in
.autobahn/ of the checkout: the suite in lib/, its report in reports/index.html.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
WORK = HERE.parents[1] / ".autobahn"
CASES = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"]
MINUTES = 20
PASSES = {"OK", "INFORMATIONAL"}
EXPLAINED = {
    "6.4.3": "NON-STRICT",
    "6.4.4": "NON-STRICT",
}
"""Cases that do not simply pass, each explained in docs/autobahn.md."""


def find_python2() -> Path | None:
    on_path = shutil.which("python2.7")
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [
        *sorted(pyenv.glob("2.7*/bin/python2.7"), reverse=True),
        *([Path(on_path)] if on_path else []),
    ]
    for candidate in candidates:
        check = [str(candidate), "-c", "import pip, sys; sys.exit(sys.version_info[:2] != (2, 7))"]
        if subprocess.run(check, capture_output=True, check=False).returncode == 0:
            return candidate
    return None


def install(python2: Path) -> bool:
    requirements = HERE / "requirements.txt"
    lib, stamp = WORK / "lib", WORK / "installed.txt"
    if stamp.exists() and stamp.read_text() == requirements.read_text():
        return True
    shutil.rmtree(lib, ignore_errors=True)
    WORK.mkdir(exist_ok=True)
    print("installing the suite into .autobahn/lib …", flush=True)
    pip = [str(python2), "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check"]
    result = subprocess.run([*pip, "--target", str(lib), "-r", str(requirements)], check=False)
    if result.returncode == 0:
        stamp.write_text(requirements.read_text())
    return result.returncode == 0


def fuzz(python2: Path, port: int, cases: list[str]) -> None:
    spec = {
        "outdir": str(WORK / "reports"),
        "servers": [{"agent": "palaver", "url": f"ws://127.0.0.1:{port}/"}],
        "cases": cases,
        "exclude-cases": [],
        "exclude-agent-cases": {},
    }
    shutil.rmtree(WORK / "reports", ignore_errors=True)
    (WORK / "fuzzingclient.json").write_text(json.dumps(spec))
    # addsitedir, not PYTHONPATH: zope is a namespace package that a .pth file joins
    wstest = f"import site, sys; site.addsitedir({str(WORK / 'lib')!r}); sys.path.insert(0, {str(WORK / 'lib')!r});"
    wstest += "from autobahntestsuite.wstest import run; sys.exit(run())"
    arguments = ["-m", "fuzzingclient", "-s", str(WORK / "fuzzingclient.json")]
    with (WORK / "fuzzingclient.log").open("w") as log:
        subprocess.run(
            [str(python2), "-c", wstest, *arguments],
            cwd=WORK,
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=MINUTES * 60,
            check=True,
        )


def judge() -> bool:
    """Prints what did not simply pass and the sum; True if all of it passes or is explained."""
    results = json.loads((WORK / "reports" / "index.json").read_text())["palaver"]
    counts: dict[str, int] = {}
    unexplained = 0
    for case, result in sorted(results.items(), key=lambda item: [int(part) for part in item[0].split(".")]):
        # Informational cases look at the opening only: how such a connection is closed is their subject.
        behaviour = result["behavior"]
        closing = result["behaviorClose"]
        counts[behaviour] = counts.get(behaviour, 0) + 1
        fine = {behaviour, closing} <= PASSES or EXPLAINED.get(case) == behaviour
        unexplained += not fine
        if not fine or behaviour != "OK":
            print(f"{case}: {behaviour}, close {closing}{'' if fine else '  <- not explained'}")
    print(", ".join(f"{count} {name}" for name, count in sorted(counts.items())), f"of {len(results)} cases")
    return bool(results) and not unexplained


def main() -> int:
    python2 = find_python2()
    if python2 is None:
        print("skipped: the Autobahn suite needs Python 2.7 with pip, and there is none on PATH or in pyenv")
        return 0
    if not install(python2):
        print("skipped: the Autobahn suite could not be installed for Python 2.7 (see above)")
        return 0
    echo = subprocess.Popen(
        [sys.executable, str(HERE / "echo.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert echo.stdout is not None, "it was opened as a pipe"
        port = int(echo.stdout.readline())
        fuzz(python2, port, sys.argv[1:] or CASES)
    finally:
        echo.communicate(input="")
    return 0 if judge() else 1


if __name__ == "__main__":
    sys.exit(main())
