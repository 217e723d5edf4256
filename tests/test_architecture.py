"""The direction of imports, and what a newcomer may rely on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_arrows_point_one_way() -> None:
    """Holds the contracts of .importlinter."""
    command = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_faces_define_nothing() -> None:
    """An `__init__.py` re-exports only (style 16)."""
    for face in (ROOT / "python/palaver").rglob("__init__.py"):
        defining = [
            line
            for line in face.read_text().splitlines()
            if line.startswith(("def ", "class ", "async def "))
        ]
        assert not defining, f"{face} defines {defining}"


def test_the_native_core_is_usable_alone() -> None:
    """`import palaver.core` pulls in neither uvloop nor aiortc."""
    code = (
        "import sys, palaver.core\n"
        "heavy = {'uvloop', 'aiortc', 'picows', 'aiohttp', 'msgspec'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
