"""BootstrapConfig: where a node finds the first others, and how often it tells news."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from palaver.errors import SettingsError
from palaver.settings.cluster import DEFAULT_PORT

MAX_SEEDS: Final = 64
"""The engine greets at most so many (EngineConfig::MAX_SEEDS)."""
MAX_FILE_BYTES: Final = 1 << 16
"""Of a file of seeds: 64 lines of a host name of 253 characters fit three times."""
GOSSIP_INTERVAL: Final = 0.2
"""Seconds: the engine's `gossip_interval`. News goes out at least this often while there is any."""

Address = tuple[str, int]
Resolver = Callable[[str, int], Iterable[Address]]

_ENTRY = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^\s:\[\]/]+))(?::(?P<port>[0-9]{1,5}))?\Z")


def parse_seed(entry: str) -> Address:
    """Reads `host`, `host:port` or `[IPv6]:port`. Raises ValueError: the rule."""
    match = _ENTRY.match(entry)
    if match is None:
        raise ValueError(f"a seed is host:port, [IPv6]:port or file:PATH, not {entry!r}")
    port = int(match["port"] or DEFAULT_PORT)
    if not 1 <= port <= 65535:
        raise ValueError(f"the port of a seed is from 1 to 65535, not {port}")
    host = match["six"] or match["host"]
    if match["six"] is not None:
        ipaddress.IPv6Address(host)
    return host, port


def check_address(address: object) -> None:
    """Raises ValueError: the rule, for what is no (IP address, port) that something can be sent to."""
    match address:
        case (str(host), int(port)) if 1 <= port <= 65535:
            with suppress(ValueError):
                ipaddress.ip_address(host)
                return
    raise ValueError(f"an address is (IP address, port), such as ('192.0.2.1', 7882), not {address!r}")


def resolve(host: str, port: int) -> list[Address]:
    """All addresses of a name, as the system finds them. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    return [(str(address[0]), int(address[1])) for *_, address in found]


class BootstrapConfig:
    """A list of seeds: addresses, names (each of whose addresses is one) and files with one of those a line.

    Names and files are looked up whenever `get_seed_nodes` is called: a seed that was replaced is found under its old
    name. What cannot be looked up is passed over and told in `problems`; a node whose seeds are all dead starts alone and
    goes on trying.
    """

    def __init__(
        self,
        seeds: Iterable[str] = (),
        *,
        gossip_interval: float = GOSSIP_INTERVAL,
        resolver: Resolver = resolve,
    ) -> None:
        """Raises SettingsError for an entry that is none, ValueError for an interval that is not above zero."""
        if not gossip_interval > 0:
            raise ValueError(f"the gossip interval is above zero seconds, not {gossip_interval}")
        self.entries = tuple(seeds)
        self._interval = gossip_interval
        self._resolver = resolver
        self.problems: tuple[str, ...] = ()
        """What the last `get_seed_nodes` passed over, one sentence each."""
        for entry in self.entries:
            if not entry.startswith("file:"):
                try:
                    parse_seed(entry)
                except ValueError as error:
                    raise SettingsError(str(error)) from None

    def get_gossip_interval(self) -> float:
        """Seconds."""
        return self._interval

    def get_seed_nodes(self) -> list[Address]:
        """The addresses to greet, each once, at most 64. It asks DNS and the disk: call it in a thread."""
        problems: list[str] = []
        found: dict[Address, None] = {}
        for entry in self._flat(problems):
            try:
                host, port = parse_seed(entry)
                found |= dict.fromkeys(self._addresses(host, port))
            except (ValueError, OSError) as error:
                reason = getattr(error, "strerror", None) or error
                problems.append(f"seed {entry}: {reason}")
        if len(found) > MAX_SEEDS:
            problems.append(f"there are {len(found)} seeds; the first {MAX_SEEDS} are used")
        self.problems = tuple(problems)
        return list(found)[:MAX_SEEDS]

    def _addresses(self, host: str, port: int) -> Iterable[Address]:
        try:
            return [(str(ipaddress.ip_address(host)), port)]
        except ValueError:
            return self._resolver(host, port)

    def _flat(self, problems: list[str]) -> Iterable[str]:
        for entry in self.entries:
            if not entry.startswith("file:"):
                yield entry
                continue
            path = Path(entry.removeprefix("file:"))
            try:
                with path.open("rb") as file:
                    text = file.read(MAX_FILE_BYTES + 1).decode()
                if len(text) > MAX_FILE_BYTES:
                    raise ValueError(f"is larger than {MAX_FILE_BYTES} bytes")
            except (OSError, ValueError) as error:
                problems.append(f"{path}: {getattr(error, 'strerror', None) or error}")
                continue
            lines = (line.partition("#")[0].strip() for line in text.splitlines())
            yield from filter(None, lines)
