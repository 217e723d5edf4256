"""Params and results of ProducerHandler: media a participant sends."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from palaver.protocol.types import Count, Encoding, Generation, Kind, Name, Params, Result, Source, Text


class CreateProducer(Params):
    transport: Name
    kind: Kind
    source: Source
    id: Name | None = None
    mid: Name | None = None
    encodings: Annotated[list[Encoding], Meta(max_length=8)] = []
    paused: bool = False
    label: Text = ""
    allow: Annotated[list[Name], Meta(max_length=1000)] | None = None


class ProducerInfo(Result):
    id: str
    peer: str
    kind: Kind
    source: Source
    paused: Annotated[bool, Meta(description="Whether it is paused by its owner or a moderator.")]
    label: str = ""
    mid: str | None = None


class CreateProducerResult(Result):
    id: str
    paused: bool
    layers: list[Encoding]
    limits: dict[str, int]


class PauseBits(Result):
    self: bool
    moderator: bool


class OwnProducer(CreateProducerResult, kw_only=True):
    """One's own producer in a snapshot: what its creation was answered with, as it is now."""

    transport: str
    kind: Kind
    source: Source
    paused_by: PauseBits
    label: str = ""
    mid: str | None = None


class CloseProducer(Params):
    id: Name
    reason: Text = ""


class ById(Params):
    id: Name


class Changed(Result):
    changed: bool


class PauseProducerResult(Result):
    paused: PauseBits
    changed: bool


class ReplaceTrack(Params):
    id: Name
    generation: Generation
    mid: Name | None = None
    source: Source | None = None
    label: Text | None = None


class ChangeEncoding(Params):
    id: Name
    encodings: Annotated[list[Encoding], Meta(min_length=1, max_length=8)]
    if_version: Count | None = None


class ChangeEncodingResult(Result):
    applied: list[Encoding]
    version: int
