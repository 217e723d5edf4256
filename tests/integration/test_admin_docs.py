"""The examples of docs/admin.md run as printed."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from harness.guest import guest
from harness.node import running_node

PAGE = (Path(__file__).parents[2] / "docs" / "admin.md").read_text(encoding="utf-8")
TOKEN = "an-admin-token-for-tests-of-more-than-32-bytes"


def examples() -> list[str]:
    block = PAGE.split("<!-- examples -->")[1].split("<!-- /examples -->")[0]
    return [line.strip() for line in block.splitlines() if line.strip()]


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
async def test_the_examples_do_what_they_say() -> None:
    commands = examples()
    assert len(commands) > 10
    async with running_node(http={"admin_token": TOKEN}) as node, AsyncExitStack() as people:
        for identity in ("alice", "bob", "mallory"):
            await people.enter_async_context(guest(node, identity, "demo"))
        variables = {
            **os.environ,
            "API": f"{node.http}/v1",
            "AUTH": f"Authorization: Bearer {TOKEN}",
            "no_proxy": "*",
        }
        for command in commands:
            # curl before 7.82 has no --json.
            command = re.sub(r"--json ('[^']*')", r"-H 'Content-Type: application/json' -d \1", command)
            run = await asyncio.create_subprocess_shell(
                command, stdout=asyncio.subprocess.PIPE, env=variables
            )
            output, _ = await asyncio.wait_for(run.communicate(), 20)
            assert run.returncode == 0, command
            assert "error" not in json.loads(output), (command, output)


async def test_every_operation_is_on_the_page() -> None:
    async with running_node(http={"admin_token": TOKEN}) as node:
        admin = node.node.side_port._admin
        assert admin is not None
        for each in admin._api.operations:
            assert each.path.replace("/v1/rooms/{room}/unlock", "…/unlock") in PAGE, each.path
