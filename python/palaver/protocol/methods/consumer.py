"""Params and results of ConsumerHandler: media a participant receives."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from palaver.protocol.types import Count, Kind, Name, Params, Result


class ConsumerItem(Params):
    producer: Name
    transport: Name | None = None
    id: Name | None = None
    layers: dict[Name, Count] | None = None
    priority: Annotated[int, Meta(ge=0, le=255)] | None = None
    paused: bool = True


class CreateConsumer(Params):
    producer: Name | None = None
    transport: Name | None = None
    id: Name | None = None
    layers: dict[Name, Count] | None = None
    priority: Annotated[int, Meta(ge=0, le=255)] | None = None
    paused: bool = True
    items: Annotated[list[ConsumerItem], Meta(min_length=1, max_length=200)] | None = None


class CreateConsumerResult(Result):
    id: str
    producer: str
    kind: Kind
    producer_paused: bool
    paused: bool
    mid: str | None = None


class CreateConsumersResult(Result):
    items: list[Any]


class ByIds(Params):
    id: Name | None = None
    ids: Annotated[list[Name], Meta(min_length=1, max_length=1000)] | None = None


class PreferredLayers(Params):
    id: Name
    spatial: Annotated[int, Meta(ge=0, le=7)] | None = None
    temporal: Annotated[int, Meta(ge=0, le=7)] | None = None
    width: Annotated[int, Meta(ge=1, le=16384)] | None = None
    height: Annotated[int, Meta(ge=1, le=16384)] | None = None
    fps: Annotated[float, Meta(gt=0, le=1000)] | None = None
    priority: Annotated[int, Meta(ge=0, le=255)] | None = None


class Layers(Result, omit_defaults=False):
    spatial: int
    temporal: int


class PreferredLayersResult(Result):
    effective: Layers
