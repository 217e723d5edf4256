import subprocess
import sys
import venv
from pathlib import Path

import palaver

WITHOUT_EXTENSION = """
import sys
from importlib.machinery import PathFinder

class Hide(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name == "palaver.core._native":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hide)
try:
    import palaver.core
except ImportError as error:
    print(error)
"""


def test_a_missing_extension_says_in_one_sentence_what_to_do() -> None:
    said = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTENSION], capture_output=True, text=True, check=True
    )
    assert said.stdout.count("\n") == 1
    assert "run make setup" in said.stdout


def test_the_core_imports_neither_uvloop_nor_aiortc() -> None:
    program = "import sys, palaver.core; print({'uvloop', 'aiortc', 'picows', 'aiohttp'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "set()"


BARE = """
import sys
from importlib.util import find_spec
from palaver.core import KeyManager, MembershipTable, NodeRecord, ProductionNode
table, keys = MembershipTable("me"), KeyManager()
table.merge_bytes(NodeRecord(keys, 1, 1).encode(), now=1.0)
print(keys.node_id in table, ProductionNode("a").members()[0].name, find_spec("msgspec"), find_spec("aiohttp"))
"""


def test_the_core_is_imported_and_works_without_any_dependency(tmp_path: Path) -> None:
    """As after pip install --no-deps palaver: an environment with the package and nothing else."""
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    (packages,) = (tmp_path / "bare").glob("lib/python*/site-packages")
    (packages / "palaver").symlink_to(Path(palaver.__file__).parent)
    said = subprocess.run(
        [tmp_path / "bare" / "bin" / "python", "-I", "-c", BARE], capture_output=True, text=True, check=True
    )
    assert said.stdout == "True a None None\n"
