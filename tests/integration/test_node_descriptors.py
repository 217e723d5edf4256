"""A process that runs out of file descriptors: newcomers wait, calls go on, and everybody can read why."""

from __future__ import annotations

import asyncio
import os
import resource
import time
from pathlib import Path

import aiohttp

from harness.media import eventually
from harness.process import NodeProcess, serving_process
from harness.settings import KEY_ID, SECRET
from palaver.client import connect
from palaver.gateway.acceptor import RESERVED_DESCRIPTORS
from palaver.signaling.tokens import mint
from unit.gateway.raw_websocket import request

SEATS = 10
"""How many clients more than those who are there the process may have."""


async def readiness(http: aiohttp.ClientSession) -> tuple[int, str]:
    async with http.get("/readyz") as answer:
        return answer.status, await answer.text()


async def metric(http: aiohttp.ClientSession, name: str) -> float:
    async with http.get("/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith(f"{name} "))


def limit_descriptors(node: NodeProcess, free: int) -> None:
    """Leaves the node so many descriptors for further clients."""
    pid = node.process.pid
    taken = len(os.listdir(f"/proc/{pid}/fd"))
    _, most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (taken + free + RESERVED_DESCRIPTORS, most))


async def test_out_of_descriptors_newcomers_wait_and_calls_go_on(tmp_path: Path) -> None:
    token = mint(KEY_ID, SECRET, identity="alice", now=time.time())
    with serving_process(tmp_path) as node:
        host, port = node.url.split("/")[2].rsplit(":", 1)
        async with (
            aiohttp.ClientSession(node.http) as http,
            connect(node.url, token) as alice,
        ):
            await alice.join("room")
            assert await readiness(http) == (200, "ok\n")
            limit_descriptors(node, SEATS)
            crowd = [await asyncio.open_connection(host, port) for _ in range(SEATS + 30)]
            for _, writer in crowd:
                writer.write(request())
            answers = [asyncio.create_task(reader.readuntil(b"\r\n\r\n")) for reader, _ in crowd]
            await eventually(
                lambda: any("out of file desc" in each["event"] for each in node.logs), "it says so"
            )
            assert (await alice.call("roomInfo"))["counts"]["peers"] == 1, "calls go on"
            assert await readiness(http) == (503, "the node is out of file descriptors\n")
            assert await metric(http, "palaver_gateway_accept_pauses_total") >= 1
            await eventually(lambda: sum(task.done() for task in answers) >= SEATS - 5, "some were served")
            assert sum(task.done() for task in answers) <= SEATS + 1, "the others wait"
            assert [task for task in answers if task.done() and task.exception()] == []
            pid = node.process.pid
            _, most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, most))
            async with asyncio.timeout(30):
                heads = await asyncio.gather(*answers)
            assert all(head.startswith(b"HTTP/1.1 101 ") for head in heads), "nobody who waited was dropped"
            assert await readiness(http) == (200, "ok\n")
            for _, writer in crowd:
                writer.close()
        warnings = [each for each in node.logs if each["level"] != "info"]
        assert len(warnings) == 1, warnings
