"""Thousands of sessions that join, flap, publish and leave for minutes: memory flat, no task left, no event lost.

    make soak-sessions                       # ten minutes
    make soak-sessions ARGS="--minutes 1 --sessions 200"

The node runs in a process of its own, so that its memory is its own. Exits with 1 and says why where a promise broke.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp

sys.path.insert(0, str(Path(__file__).parent.parent))

from harness.node import running_node
from harness.settings import KEY_ID, SECRET
from palaver.signaling.tokens import mint

GROWTH_ALLOWED = 0.15
"""Share by which memory may grow from the end of the first third to the end: fragmentation, not a leak."""
ROOM_SIZE = 8


class Lost(Exception):
    """An event was lost, doubled or out of order."""


class Session:
    """One client of the plainest kind: it checks every number, and breaks its socket on purpose."""

    def __init__(self, url: str, http: aiohttp.ClientSession, number: int, counts: Counter[str]) -> None:
        self.url, self.http, self.counts = url, http, counts
        self.identity, self.room = f"user{number}", f"room{number // ROOM_SIZE}"
        self.chance = random.Random(number)
        self.seq = 0
        self.ticket = ""

    async def live(self, until: float) -> None:
        """Joins, makes events, flaps, leaves, and begins again."""
        while time.monotonic() < until:
            await asyncio.sleep(self.chance.uniform(0, 2))
            resume = False
            for _ in range(self.chance.randint(1, 4)):
                kept = await self._connection(resume, until)
                if not kept:
                    break
                resume = True
                await asyncio.sleep(self.chance.uniform(0, 3))

    async def _connection(self, resume: bool, until: float) -> bool:
        """One socket's life. Returns whether the seat is kept (the socket was broken on purpose)."""
        async with self.http.ws_connect(self.url, protocols=["palaver.v1"]) as socket:
            await self._join(socket, resume)
            for number in range(self.chance.randint(2, 6)):
                if time.monotonic() > until:
                    break
                await self._act(socket, number)
                await self._listen(socket, self.chance.uniform(0.2, 2.0))
            if self.chance.random() < 0.5 and time.monotonic() < until:
                self.counts["flaps"] += 1
                return True
            await self._call(socket, "leave")
            self.counts["leaves"] += 1
            return False

    async def _join(self, socket: aiohttp.ClientWebSocketResponse, resume: bool) -> None:
        token = mint(KEY_ID, SECRET, identity=self.identity, room=self.room, now=time.time())
        params: dict[str, Any] = {"room": self.room, "token": token}
        if resume:
            params["resume"] = {"ticket": self.ticket, "lastSeq": self.seq}
        reply = await self._call(socket, "join", joining=True, **params)
        if "error" in reply:
            if reply["error"]["data"]["reason"] != "not_found":
                raise Lost(f"{self.identity} was refused: {reply['error']}")
            self.counts["too late"] += 1
            del params["resume"]
            reply = await self._call(socket, "join", joining=True, **params)
        result = reply["result"]
        if result["resumed"]:
            self.counts["resumes"] += 1
            if result["missed"] != "snapshot":
                for event in result["missed"]:
                    self._see(event["params"])
        self.seq, self.ticket = result["seq"], result["session"]["ticket"]
        self.counts["joins"] += 1

    async def _act(self, socket: aiohttp.ClientWebSocketResponse, number: int) -> None:
        kind = self.chance.choice(["createProducer", "heartbeat", "roomInfo", "networkQuality"])
        params: dict[str, Any] = {
            "createProducer": {"transport": "t", "kind": "audio", "source": "microphone"},
            "heartbeat": {"t": time.time(), "seqSeen": self.seq},
            "roomInfo": {},
            "networkQuality": {"rttMs": self.chance.uniform(5, 500), "lossUp": self.chance.random() / 10},
        }[kind]
        await self._call(socket, kind, **params)

    async def _call(
        self, socket: aiohttp.ClientWebSocketResponse, method: str, joining: bool = False, **params: Any
    ) -> dict[str, Any]:
        await socket.send_str(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
        while True:
            message = json.loads(await socket.receive_str(timeout=60))
            if "id" in message:
                return message
            if joining:
                raise Lost(f"{self.identity} was sent {message['method']} before its join's reply")
            self._see(message["params"])

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                while True:
                    self._see(json.loads(await socket.receive_str())["params"])
        except TimeoutError:
            return

    def _see(self, params: dict[str, Any]) -> None:
        if params["prev"] != self.seq or params["seq"] <= self.seq:
            raise Lost(f"{self.identity} saw {self.seq}, then {params}")
        self.seq = params["seq"]
        self.counts["events"] += 1


async def serve() -> None:
    """The node's own process: prints its URLs, then what is left when told to stop by a line on standard input."""
    # One process plays thousands of clients: between a connection and its join it may take longer than each of them would.
    gateway = {"handshake_seconds": 60}
    rooms = {"grace_ms": 4000, "flap_ms": 500}
    async with running_node(rooms=rooms, gateway=gateway, limits={"request_burst": 100}) as node:
        print(json.dumps({"url": node.url, "http": node.http}), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        sessions = node.node.plane.sessions
        names = Counter(task.get_name() for task in asyncio.all_tasks())
        left = {
            "rooms": len(sessions.rooms),
            "sessions": len(sessions.sessions),
            "connections": node.node.gateway.counters.connections_open,
            "timers": len(sessions.timers),
            "tasks": {name: count for name, count in names.items() if not name.startswith("Task-")},
        }
        print(json.dumps(left), flush=True)


def memory_of(pid: int) -> int:
    """Resident bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


async def attack(minutes: float, sessions: int) -> int:
    node = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "--serve", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert node.stdin is not None and node.stdout is not None, "both are pipes"
    urls = json.loads(await node.stdout.readline())
    counts: Counter[str] = Counter()
    began = time.monotonic()
    until = began + minutes * 60
    memory: list[int] = []

    async def watch() -> None:
        while time.monotonic() < until:
            await asyncio.sleep(min(5.0, minutes * 6))
            memory.append(memory_of(node.pid))
            print(
                f"{time.monotonic() - began:6.0f} s  {memory[-1] / 2**20:7.1f} MiB  {dict(counts)}",
                flush=True,
            )

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as http, asyncio.TaskGroup() as group:
        group.create_task(watch())
        for number in range(sessions):
            group.create_task(Session(urls["url"], http, number, counts).live(until))
    await asyncio.sleep(6)  # the last graces end
    node.stdin.write(b"stop\n")
    await node.stdin.drain()
    left = json.loads(await node.stdout.readline())
    await node.wait()
    settled = memory[len(memory) // 3 :]
    growth = settled[-1] / settled[0] - 1
    print(f"left behind: {left}; memory grew by {growth:.1%} after the first third")
    broken = [f"{left[what]} {what} left" for what in ("rooms", "sessions", "connections") if left[what]]
    if growth > GROWTH_ALLOWED:
        broken.append(f"memory grew by {growth:.1%}")
    if left["timers"] > 200:
        broken.append(f"{left['timers']} timers left")
    if sum(left["tasks"].values()) > 2:
        broken.append(f"tasks left: {left['tasks']}")
    print("broken: " + "; ".join(broken) if broken else "every promise held")
    return 1 if broken else 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Soak a node.")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--sessions", type=int, default=2000)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        import uvloop

        uvloop.run(serve())
        return 0
    return asyncio.run(attack(options.minutes, options.sessions))


if __name__ == "__main__":
    sys.exit(main())
