"""What ten thousand bad signatures a second do to a member's round trips, with the real driver on loopback.

.venv/bin/python benches/flood.py --seconds 8

A member in this process probes a node on its native thread, fifty times a second; another process sends that node greetings
with bad signatures, each of another key, from two hundred ports. docs/gossip.md has the figures.
"""

from __future__ import annotations

import argparse
import select
import socket
import statistics
import subprocess
import sys
import time

from palaver.core import ClusterDriver, KeyManager, ProductionNode

CLUSTER = "flood"
PORTS = 200
KEY = slice(20, 24)
"""Bytes of the public key in a greeting."""


def flood(address: str, rate: int, seconds: float) -> None:
    """Sends the greetings, in bursts of a millisecond."""
    host, _, port = address.rpartition(":")
    stranger = ProductionNode("stranger", cluster=CLUSTER)
    stranger.join([address])
    greeting = bytearray(stranger.send_gossip()[0][1])
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(PORTS)]
    began, sent = time.monotonic(), 0
    while (passed := time.monotonic() - began) < seconds:
        for _ in range(int(passed * rate) - sent):
            greeting[KEY] = sent.to_bytes(4, "little")
            sockets[sent % PORTS].sendto(greeting, (host, int(port)))
            sent += 1
        time.sleep(0.001)
    print(sent)


def round_trips(prober: ProductionNode, link: socket.socket, seconds: float) -> list[float]:
    """Seconds from each probe to its answer."""
    found: list[float] = []
    end = time.monotonic() + seconds
    asked: float | None = None
    while (now := time.monotonic()) < end:
        due = prober.heartbeat() or end
        for address, payload, stream in prober.send_gossip():
            if not stream:
                host, _, port = address.rpartition(":")
                asked = time.monotonic()
                link.sendto(payload, (host, int(port)))
        if not select.select([link], [], [], max(0.0, min(due, end) - now))[0]:
            continue
        payload, source = link.recvfrom(65_536)
        if asked is not None:
            found.append(time.monotonic() - asked)
            asked = None
        prober.receive_gossip(payload, f"{source[0]}:{source[1]}")
        for address, answer, stream in prober.send_gossip():  # of the node's own probes
            if not stream:
                host, _, port = address.rpartition(":")
                link.sendto(answer, (host, int(port)))
    return found


def row(name: str, found: list[float]) -> float:
    """Prints median and p99; returns the latter."""
    ordered = sorted(found)
    p99 = ordered[len(ordered) * 99 // 100]
    print(f"{name:<16} {len(found):>6} {statistics.median(ordered) * 1e6:>8.0f} µs {p99 * 1e6:>8.0f} µs")
    return p99


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=int, default=10_000, help="bad signatures a second")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each of the two measurements")
    parser.add_argument("--flood", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.flood:
        flood(arguments.flood, arguments.rate, arguments.seconds)
        return 0
    driver = ClusterDriver(KeyManager(), cluster=CLUSTER, name="node")
    driver.start("127.0.0.1:0")
    link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    link.bind(("127.0.0.1", 0))
    own = f"127.0.0.1:{link.getsockname()[1]}"
    prober = ProductionNode("prober", cluster=CLUSTER, address=own, settings={"probe_interval": 0.02})
    prober.join([driver.address])
    round_trips(prober, link, 12.0)  # until the own record goes in front no more
    assert len(driver.members()) == 2, "the prober is a member"
    print(f"{'':<16} {'probes':>6} {'median':>11} {'p99':>11}")
    quiet = row("quiet", round_trips(prober, link, arguments.seconds))
    command = [sys.executable, __file__, "--flood", driver.address, "--rate", str(arguments.rate)]
    command += ["--seconds", str(arguments.seconds + 1)]
    before = driver.counters()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as flooder:
        flooded = row("under the flood", round_trips(prober, link, arguments.seconds))
        sent = int(flooder.communicate()[0])
    after = driver.counters()
    passed = {name: after[name] - before[name] for name in ("bad_signatures", "throttled", "cpu_seconds")}
    print(f"sent {sent}; checked {passed['bad_signatures']:.0f}, unread {passed['throttled']:.0f}; ", end="")
    print(
        f"{passed['cpu_seconds'] / (arguments.seconds + 1) * 100:.1f} % of a core; p99 × {flooded / quiet:.2f}"
    )
    driver.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
