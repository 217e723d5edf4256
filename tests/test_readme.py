"""What README shows of the native core works as printed (its client: tests/integration/test_client_readme.py)."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

README = (Path(__file__).parent.parent / "README.md").read_text()


def test_the_two_commands_stand_first() -> None:
    head = README.split("\n\n")[1]
    assert "make run" in head
    assert "make test" in head


def test_two_tables_converge_as_shown() -> None:
    (block,) = [
        each for each in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "palaver.core" in each
    ]
    run = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True, check=True)
    assert "3 members" in run.stdout


def test_every_page_that_is_linked_exists() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert len(links) > 8
    assert [link for link in links if not (Path(__file__).parent.parent / link).exists()] == []
