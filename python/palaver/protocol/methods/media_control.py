"""Params and results of MediaControlHandler: runtime control and quality."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from palaver.protocol.types import (
    Count,
    Generation,
    Millis,
    Name,
    Params,
    Ratio,
    Result,
    Source,
    StatNumber,
    Text,
)


class MuteTarget(Params):
    peer: Name | None = None
    producer: Name | None = None
    all_except: Annotated[list[Name], Meta(max_length=1000)] | None = None
    source: Source | None = None


class Mute(Params):
    target: Literal["self"] | MuteTarget


class MuteResult(Result):
    affected: Annotated[int, Meta(description="Producers whose effective state changed.")]
    asked: Annotated[int, Meta(description="Participants that were asked to unmute themselves.")]


class NetworkQuality(Params):
    peer: Name | None = None
    rtt_ms: Millis | None = None
    loss_up: Ratio | None = None
    loss_down: Ratio | None = None
    jitter_ms: Millis | None = None
    bitrate_up: Count | None = None
    bitrate_down: Count | None = None


class NetworkQualityResult(Result):
    score: Annotated[
        float | None, Meta(description="0 (unusable) to 5 (excellent); null before the first report.")
    ]
    trend: Literal["up", "steady", "down"]


StatRecord = Annotated[dict[Name, StatNumber], Meta(max_length=32)]
"""A record of numbers, as qualityLimitationDurations; the longest that webrtc-stats knows has five."""
Sample = Annotated[
    dict[Name, StatNumber | bool | Annotated[str, Meta(max_length=256)] | StatRecord | None],
    Meta(max_length=128),
]
"""One W3C RTCStats dictionary, in its own names."""


class Stats(Params):
    producer: Name | None = None
    consumer: Name | None = None
    samples: Annotated[list[Sample], Meta(max_length=64)] | None = None


class StatsResult(Result):
    stats: list[dict[str, Any]]


class MediaError(Params):
    where: Text
    name: Name
    message: Text = ""
    transport: Name | None = None
    generation: Generation | None = None


class MediaErrorResult(Result):
    ref: str
    advice: Literal["ice_restart", "turn_tls", "rejoin", "none"]
