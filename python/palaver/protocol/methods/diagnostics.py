"""Params and results of DiagnosticsHandler: debugging and testing tools."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from palaver.protocol.types import Clock, Name, Params, Result, StatNumber


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


class TraceEvent(Params):
    name: Name | None = None
    t: Clock | None = None
    attributes: (
        Annotated[
            dict[Name, StatNumber | bool | Annotated[str, Meta(max_length=1024)] | None], Meta(max_length=32)
        ]
        | None
    ) = None
    traceparent: Annotated[str, Meta(max_length=64, pattern="^[0-9a-f-]+\\Z")] | None = None
    subscribe: Annotated[list[Name], Meta(min_length=1, max_length=32)] | None = None
    ttl_s: Annotated[int, Meta(ge=1, le=3600)] = 300


class ChaosInject(Params):
    fault: Literal[
        "drop",
        "delay",
        "duplicate",
        "reorder",
        "partition",
        "killSession",
        "slowConsumer",
        "drain",
        "mediaFail",
    ]
    scope: Literal["self", "session", "room", "node"] = "self"
    p: Annotated[float, Meta(ge=0, le=1, description="How likely each message is hit.")] = 1.0
    ms: Annotated[float, Meta(ge=0, le=60_000)] = 0.0
    ttl_s: Annotated[float, Meta(gt=0, le=300)] = 10.0


class ChaosInjectResult(Result):
    fault_id: str
    until: Annotated[int, Meta(description="Milliseconds since the Unix epoch.")]
