"""Settings for test nodes, and the key that signs their tokens."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from palaver.settings import (
    AuthSettings,
    DiagnosticsSettings,
    GatewaySettings,
    HttpSettings,
    LimitSettings,
    MediaSettings,
    NodeSettings,
    RoomSettings,
    Settings,
    TracingSettings,
    WebhookSettings,
)

KEY_ID, SECRET = "test", "a secret for tests, of more than 32 bytes"


def node_settings(
    *,
    gateway: dict[str, Any] | None = None,
    limits: dict[str, Any] | None = None,
    rooms: dict[str, Any] | None = None,
    media: dict[str, Any] | None = None,
    auth: dict[str, Any] | None = None,
    http: dict[str, Any] | None = None,
    webhooks: dict[str, Any] | None = None,
    tracing: dict[str, Any] | None = None,
    state_dir: str = "",
    demo: bool = False,
    chaos: bool = False,
) -> Settings:
    """Settings for a test node: free ports, media on 127.0.0.1 only, any origin."""
    return Settings(
        node=NodeSettings(name="test-node", state_dir=state_dir),
        gateway=replace(GatewaySettings(port=0, origins=("*",)), **(gateway or {})),
        limits=replace(LimitSettings(), **(limits or {})),
        rooms=replace(RoomSettings(), **(rooms or {})),
        auth=replace(AuthSettings(keys={KEY_ID: SECRET}), **(auth or {})),
        media=replace(MediaSettings(addresses=("127.0.0.1",)), **(media or {})),
        http=replace(HttpSettings(port=0, demo=demo), **(http or {})),
        tracing=replace(TracingSettings(), **(tracing or {})),
        webhooks=replace(WebhookSettings(), **(webhooks or {})),
        diagnostics=DiagnosticsSettings(chaos=chaos),
    )
