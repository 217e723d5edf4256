"""Where several development nodes on one machine keep their state: the first in the state directory, others below it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from palaver.errors import StartError

if TYPE_CHECKING:
    from palaver.settings import NodeSettings

SLOTS: Final = 64
"""More development nodes than a machine carries; who wants them chooses --state-dir."""
LOCK: Final = "node.lock"
_held: list[int] = []


def claim(directory: Path) -> Path:
    """The first directory that no other node of this machine has: `directory`, then `directory/node-2`, and so on.

    It is locked until this process ends. Raises StartError.
    """
    for number in range(1, SLOTS + 1):
        slot = directory if number == 1 else directory / f"node-{number}"
        try:
            slot.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(slot / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StartError(f"{slot}: no state can be kept here: {error.strerror or error}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        _held.append(descriptor)
        return slot
    raise StartError(f"{directory}: {SLOTS} nodes keep their state here already; choose --state-dir")


def named(node: NodeSettings, slot: Path) -> NodeSettings:
    """The node's settings with its slot, and with the slot's number behind a name that others have, too."""
    from msgspec.structs import replace

    number = slot.name.removeprefix("node-") if slot != Path(node.state_dir) else ""
    return replace(node, state_dir=str(slot), name=f"{node.name}-{number}" if number else node.name)
