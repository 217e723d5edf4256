"""Files with secrets: written durably or not at all, readable by their owner only."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from palaver.errors import SettingsError

MAX_BYTES: Final = 1 << 20
"""Keys and credentials take some hundred bytes."""


def write_private(path: Path, data: bytes, bound: int = MAX_BYTES) -> None:
    """Replaces the file by one with mode 0600: temporary file, fsync, rename, fsync of the directory.

    The directory is made with mode 0700 where there is none. Raises SettingsError, also for what `read_private` would
    refuse: nothing was changed.
    """
    _check_size(path, data, bound)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be written: {error.strerror or error}") from error


def read_private(path: Path, bound: int = MAX_BYTES) -> bytes | None:
    """The content, None if there is no such file. Raises SettingsError where it cannot be read, or by others too."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise SettingsError(f"{path}: others may read it, and it holds a secret: chmod 600 {path}")
            data = file.read(bound + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror or error}") from error
    _check_size(path, data, bound)
    return data


def _check_size(path: Path, data: bytes, bound: int) -> None:
    if len(data) > bound:
        raise SettingsError(f"{path}: is larger than {bound} bytes")
