"""A real node on loopback and free ports, inside the test's own loop."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from harness.settings import KEY_ID, SECRET, node_settings
from palaver.node import SignalingNode
from palaver.protocol.types import Role
from palaver.settings import Settings
from palaver.signaling.tokens import mint


class RunningNode:
    def __init__(self, node: SignalingNode) -> None:
        self.node = node
        host, port = node.gateway_address
        self.url = f"ws://{host}:{port}/v1"
        host, port = node.http_address
        self.http = f"http://{host}:{port}"

    def token(
        self,
        identity: str,
        room: str | None = None,
        role: Role = "participant",
        name: str | None = None,
        ttl_seconds: float = 3600,
        **grants: object,
    ) -> str:
        return mint(
            KEY_ID,
            SECRET,
            identity=identity,
            room=room,
            role=role,
            name=name,
            ttl_seconds=ttl_seconds,
            grants=grants,
            now=time.time(),
        )


@asynccontextmanager
async def running_node(settings: Settings | None = None, **parts: Any) -> AsyncIterator[RunningNode]:
    """Serves while the block runs. `parts` are those of `node_settings`."""
    node = SignalingNode(settings or node_settings(**parts))
    await node.start()
    try:
        yield RunningNode(node)
    finally:
        await node.close()
