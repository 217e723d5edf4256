"""HostNetwork: hosts of their own on one machine, as network namespaces on a bridge, and the faults between them.

Each host is a namespace with one veth end and 127.0.0.1; the other ends are the ports of a bridge that is in a namespace of its
own, so that nothing appears on the machine itself. Faults are rules of that bridge: they hold for UDP and TCP alike, and in one
direction where that is asked. Needs root, `ip` (iproute2) and `nft` (nftables).
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

NETNS = Path("/var/run/netns")
CLONE_NEWNET = 0x40000000
"""linux/sched.h; os.setns is in Python from 3.12 on."""
_libc = ctypes.CDLL(None, use_errno=True)


def why_not() -> str | None:
    """Why no hosts can be made here; None where they can."""
    if missing := [tool for tool in ("ip", "nft") if shutil.which(tool) is None]:
        return f"needs {' and '.join(missing)} (iproute2, nftables)"
    probe = f"palaver-{os.getpid()}-probe"
    tried = subprocess.run(["ip", "netns", "add", probe], capture_output=True, text=True)
    if tried.returncode:
        return f"may not make network namespaces: {tried.stderr.strip()}"
    try:
        rule = "table bridge probe { chain c { type filter hook forward priority 0;\n}\n}"
        tried = subprocess.run(
            ["ip", "netns", "exec", probe, "nft", "-f", "-"], input=rule, capture_output=True, text=True
        )
        return f"the kernel filters no bridges: {tried.stderr.strip()}" if tried.returncode else None
    finally:
        subprocess.run(["ip", "netns", "del", probe], check=True)


class HostNetwork:
    """Up to 250 hosts, numbered from 1 and made when they are first asked for. End it with `close`."""

    def __init__(self) -> None:
        self._prefix = f"palaver-{os.getpid()}"
        self._switch = f"{self._prefix}-switch"
        self._hosts: set[int] = set()
        _ip("netns", "add", self._switch)
        _ip("-n", self._switch, "link", "add", "bridge", "type", "bridge")
        _ip("-n", self._switch, "link", "set", "bridge", "up")

    def add(self, host: int) -> None:
        """Makes a host and plugs it in."""
        name, port = self._name(host), _port(host)
        self._hosts.add(host)
        _ip("netns", "add", name)
        _ip("-n", name, "link", "set", "lo", "up")
        _ip("-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", port, "netns", self._switch)
        _ip("-n", name, "addr", "add", f"{self.address(host)}/24", "dev", "eth0")
        _ip("-n", name, "link", "set", "eth0", "up")
        _ip("-n", self._switch, "link", "set", port, "master", "bridge", "up")

    def address(self, host: int) -> str:
        return f"10.77.0.{host}"

    def command(self, host: int) -> tuple[str, ...]:
        """What stands before a command that shall run there; it is that command's process itself in the end."""
        return ("ip", "netns", "exec", self._name(host))

    def connect(self, host: int, port: int) -> socket.socket:
        """A connection to 127.0.0.1 of that host, which no fault between hosts concerns."""
        with _inside(self._name(host)):
            return socket.create_connection(("127.0.0.1", port), timeout=30)

    def part(self, *sides: Collection[int]) -> None:
        """Only hosts of one side reach each other; ARP neither."""
        lines = [
            f"iifname {_ports(side)} oifname {_ports([*self._hosts - set(side)])} drop" for side in sides
        ]
        self._rule(lines)

    def deafen(self, hosts: Collection[int], share: float = 1.0) -> None:
        """This share of what is sent to these hosts is lost; what they send arrives."""
        chance = "" if share == 1.0 else f"numgen random mod 1000 < {share * 1000:.0f} "
        self._rule([f"ether type ip oifname {_ports(hosts)} {chance}drop"])

    def mend(self) -> None:
        """Everything arrives again."""
        self._rule([])

    def sent_bytes(self) -> list[int]:
        """What each host has sent so far, headers of the link included."""
        told = subprocess.run(
            ["ip", "-n", self._switch, "-s", "-j", "link"], capture_output=True, text=True, check=True
        )
        ports = {_port(host) for host in self._hosts}
        return [each["stats64"]["rx"]["bytes"] for each in json.loads(told.stdout) if each["ifname"] in ports]

    def close(self) -> None:
        """Takes all hosts away, and with them what still runs on their wires."""
        for name in (*map(self._name, self._hosts), self._switch):
            subprocess.run(["ip", "netns", "del", name], check=True)

    def _rule(self, lines: list[str]) -> None:
        chain = "type filter hook forward priority 0; policy accept;\n" + "\n".join(lines)
        # One transaction: the old table goes and the new one comes, with nothing in between.
        rules = f"table bridge faults\ndelete table bridge faults\ntable bridge faults {{ chain c {{ {chain}\n}}\n}}"
        subprocess.run(
            ["ip", "netns", "exec", self._switch, "nft", "-f", "-"], input=rules, text=True, check=True
        )

    def _name(self, host: int) -> str:
        return f"{self._prefix}-{host}"


def _port(host: int) -> str:
    return f"port{host}"


def _ports(hosts: Collection[int]) -> str:
    return "{ " + ", ".join(f'"{_port(host)}"' for host in hosts) + " }"


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


@contextmanager
def _inside(namespace: str) -> Iterator[None]:
    """This thread's new sockets belong to the namespace; its old ones, and other threads, stay where they are."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(NETNS / namespace, os.O_RDONLY)
    try:
        _enter(there)
        try:
            yield
        finally:
            _enter(home)
    finally:
        os.close(there)
        os.close(home)


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
