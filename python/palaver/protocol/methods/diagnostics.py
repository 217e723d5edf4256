"""Params and results of DiagnosticsHandler: debugging and testing tools."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from palaver.protocol.types import (
    Params,
    Result,
)


class DebugPing(Params):
    target: Literal["node", "owner", "media"] = "node"
    hops: Annotated[int, Meta(ge=0, le=16)] | None = None
    pad: Annotated[str, Meta(max_length=64 * 1024)] | None = None


class DebugPingResult(Result, omit_defaults=False):
    server_time: int
    owner: str | None
    epoch: int | None
    load: dict[str, int]
    path: list[dict[str, Any]] = []
