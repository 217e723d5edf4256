"""The Python client that README shows works as printed."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from harness.media import LOOPBACK
from harness.node import running_node
from palaver.client import connect
from palaver.rtc.patterns import TestTone

README = Path(__file__).parents[2] / "README.md"


def shown() -> str:
    """The first Python block of README that uses the client."""
    blocks = (
        re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL) if README.exists() else []
    )
    return next((block for block in blocks if "from palaver.client import" in block), "")


async def test_the_example_joins_prints_events_and_publishes(tmp_path: Path) -> None:
    example = shown()
    if not example:
        pytest.skip("README shows no Python client")
    async with running_node() as node:
        assert "ws://127.0.0.1:7880/v1" in example
        script = tmp_path / "example.py"
        script.write_text(example.replace("ws://127.0.0.1:7880/v1", node.url), "utf-8")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-u", str(script), node.token("ada"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
        assert process.stdout is not None
        async with asyncio.timeout(30):
            assert b"here:" in await process.stdout.readline()
            async with connect(node.url, node.token("bob"), addresses=LOOPBACK) as bob:
                room = await bob.join("demo")
                await bob.publish(TestTone())
                while not room.producers:
                    await anext(bob.events())
                picture = await bob.subscribe(next(iter(room.producers)))
                await picture.track.recv()
                while b"first frame" not in await process.stdout.readline():
                    assert process.returncode is None
            process.send_signal(signal.SIGINT)
            await process.communicate()
