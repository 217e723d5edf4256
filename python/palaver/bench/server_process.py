"""What a server on this machine uses, read from /proc (proc(5)); Linux only, and only processes of one's own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_LISTEN: Final = "0A"
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class ServerProcess:
    """One process, by its number."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._folder = Path(f"/proc/{pid}")

    def cpu_seconds(self) -> float | None:
        """CPU time of all its threads until now, to the nanosecond; None: it is gone."""
        total = 0
        try:
            for thread in os.scandir(self._folder / "task"):
                with open(f"{thread.path}/schedstat", "rb") as file:
                    total += int(file.read().split()[0])
        except (OSError, IndexError):  # a thread may end while it is looked at; then the next look tells
            return None
        return total / 1e9

    def memory(self) -> int | None:
        """Resident bytes; None: it is gone."""
        try:
            return int((self._folder / "statm").read_bytes().split()[1]) * _PAGE
        except (OSError, IndexError):
            return None


def find_listener(port: int) -> ServerProcess | None:
    """The process that listens on this TCP port, as far as we may see it."""
    sockets = {f"socket:[{inode}]" for inode in _inodes(port)}
    if not sockets:
        return None
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            if any(os.readlink(descriptor.path) in sockets for descriptor in os.scandir(f"{entry.path}/fd")):
                return ServerProcess(int(entry.name))
        except OSError:  # another user's, or gone, or a descriptor that was closed just now
            continue
    return None


def _inodes(port: int) -> set[str]:
    found = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = Path("/proc/net", table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(fields[9])
    return found
