"""For all tests: hypothesis judges laws, never speed, as the machine may be busy; Ctrl-C; and a disk that fails when told to."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from harness.failing_disk import FailingDisk, built

settings.register_profile(
    "palaver", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("palaver")

# A shell without job control lets what it starts in the background ignore SIGINT, and all that come of that inherit it: commands
# to which a test sends Ctrl-C would go on for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def failing_disk_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = built(tmp_path_factory.mktemp("library"))
    if library is None:
        pytest.skip("needs a C compiler for the disk that fails")
    return library


@pytest.fixture
def disk(failing_disk_library: Path, tmp_path: Path) -> FailingDisk:
    """`files` and `disk` in the folder of the test."""
    return FailingDisk.make(failing_disk_library, tmp_path / "files", tmp_path / "disk")
