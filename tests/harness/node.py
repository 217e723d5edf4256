"""A real node on loopback and free ports, inside the test's own loop."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from msgspec.structs import replace

from palaver.node import SignalingNode
from palaver.protocol.types import Role
from palaver.settings import (
    AuthSettings,
    GatewaySettings,
    HttpSettings,
    LimitSettings,
    MediaSettings,
    NodeSettings,
    RoomSettings,
    Settings,
)
from palaver.signaling.tokens import mint

KEY_ID, SECRET = "test", "a secret for tests, of more than 32 bytes"


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


def node_settings(
    *,
    gateway: dict[str, Any] | None = None,
    limits: dict[str, Any] | None = None,
    rooms: dict[str, Any] | None = None,
    media: dict[str, Any] | None = None,
    auth: dict[str, Any] | None = None,
    demo: bool = False,
) -> Settings:
    """Settings for a test node: free ports, media on 127.0.0.1 only, any origin."""
    return Settings(
        node=NodeSettings(name="test-node"),
        gateway=replace(GatewaySettings(port=0, origins=("*",)), **(gateway or {})),
        limits=replace(LimitSettings(), **(limits or {})),
        rooms=replace(RoomSettings(), **(rooms or {})),
        auth=replace(AuthSettings(keys={KEY_ID: SECRET}), **(auth or {})),
        media=replace(MediaSettings(addresses=("127.0.0.1",)), **(media or {})),
        http=HttpSettings(port=0, demo=demo),
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
