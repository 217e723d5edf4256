"""docs/core.md does what it says, and so does the example it shows."""

import re
import socket
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parents[3]
EXAMPLE = HERE / "examples" / "converge.py"


def free_ports() -> tuple[int, int]:
    with socket.socket(type=socket.SOCK_DGRAM) as one, socket.socket(type=socket.SOCK_DGRAM) as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def test_the_examples_of_the_guide_run_from_top_to_bottom() -> None:
    guide = (HERE / "docs" / "core.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    assert len(blocks) >= 6
    exec("\n".join(blocks), {})


def test_two_processes_converge_over_plain_sockets() -> None:
    here, there = free_ports()
    command = [sys.executable, str(EXAMPLE)]
    sides = [
        subprocess.Popen([*command, name, str(own), str(other)], stdout=subprocess.PIPE, text=True)
        for name, own, other in (("ada", here, there), ("bob", there, here))
    ]
    try:
        said = [side.communicate(timeout=20)[0].split(" ", 1) for side in sides]
    finally:
        for side in sides:
            side.kill()
    assert [name for name, _ in said] == ["ada", "bob"]
    assert said[0][1] == said[1][1]
    assert said[0][1].count("suspect") == 2


def test_the_example_is_short() -> None:
    assert len(EXAMPLE.read_text().splitlines()) <= 30
