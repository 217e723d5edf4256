"""Params and results of ConsumerHandler: media a participant receives."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from palaver.protocol.types import (
    Count,
    Kind,
    Name,
    Params,
    Result,
)

Ids = Annotated[list[Name], Meta(min_length=1, max_length=1000)]


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
    ids: Ids | None = None
