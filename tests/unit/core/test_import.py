import subprocess
import sys

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
