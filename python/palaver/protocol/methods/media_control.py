"""Params and results of MediaControlHandler: runtime control and quality."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from palaver.protocol.types import (
    Name,
    Params,
    Result,
    Source,
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
