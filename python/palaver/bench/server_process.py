"""What a server on this machine uses, read from /proc (proc(5)); Linux only, and only processes of one's own."""

from __future__ import annotations

import os
import sys
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Final

from palaver.errors import PalaverError

_LISTEN: Final = "0A"
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class ServerProcessError(PalaverError):
    """A process that was named cannot be watched."""


class ServerProcess:
    """A server by the numbers of its processes: one, or one for each of its workers."""

    def __init__(self, *pids: int) -> None:
        self.pids = pids
        self._folders = [Path(f"/proc/{pid}") for pid in pids]

    def check(self) -> None:
        """Raises ServerProcessError for the first that cannot be looked at."""
        for pid, folder in zip(self.pids, self._folders, strict=True):
            if not folder.is_dir():
                raise ServerProcessError(f"there is no process {pid} on this machine")
            if ServerProcess(pid).cpu_seconds() is None:
                raise ServerProcessError(
                    f"process {pid} does not let itself be looked at: is it another user's?"
                )

    def cpu_seconds(self) -> float | None:
        """CPU time of all their threads until now, to the nanosecond; None: one of them is gone."""
        total = 0
        try:
            for folder in self._folders:
                for thread in os.scandir(folder / "task"):
                    with open(f"{thread.path}/schedstat", "rb") as file:
                        total += int(file.read().split()[0])
        except (OSError, IndexError):  # a thread may end while it is looked at; then the next look tells
            return None
        return total / 1e9

    def memory(self) -> int | None:
        """Resident bytes, what processes share counted for each; None: one of them is gone."""
        try:
            return sum(int((each / "statm").read_bytes().split()[1]) for each in self._folders) * _PAGE
        except (OSError, IndexError):
            return None


def find_listener(port: int, host: str = "127.0.0.1") -> ServerProcess | None:
    """The server that listens on this TCP port of this machine's address `host`, as far as we may see its processes."""
    sockets = {f"socket:[{inode}]" for inode in _inodes(port, host)}
    if not sockets:
        return None
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            if any(os.readlink(descriptor.path) in sockets for descriptor in os.scandir(f"{entry.path}/fd")):
                found.append(int(entry.name))
        except OSError:  # another user's, or gone, or a descriptor that was closed just now
            continue
    return ServerProcess(*sorted(found)) if found else None


def _inodes(port: int, host: str) -> set[str]:
    wanted = _mapped(ip_address(host).packed)
    found = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = Path("/proc/net", table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            address, _, number = fields[1].partition(":")
            if fields[3] == _LISTEN and int(number, 16) == port:
                listening = _mapped(_packed(address))
                if listening == wanted or listening in _ANY:
                    found.add(fields[9])
    return found


def _packed(text: str) -> bytes:
    """An address of /proc/net/tcp, whose words of four bytes are in the order of this machine."""
    words = [bytes.fromhex(text[place : place + 8]) for place in range(0, len(text), 8)]
    return b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)


def _mapped(packed: bytes) -> IPv6Address:
    """The address as IPv6, in which those of IPv4 have a place (RFC 4291 § 2.5.5.2)."""
    return IPv6Address(packed if len(packed) == 16 else b"\0" * 10 + b"\xff\xff" + packed)


_ANY: Final = (_mapped(b"\0" * 4), IPv6Address(0))
