"""What settings are made of: numbers with their ranges, and the text that users read."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta


def doc(text: str, *, secret: bool = False) -> Meta:
    """What users read about a setting; the value of a secret one is never printed."""
    return Meta(description=text, extra={"secret": True} if secret else None)


Port = Annotated[int, Meta(ge=0, le=65535)]
PositiveSeconds = Annotated[float, Meta(gt=0, le=86_400)]
RefreshSeconds = Annotated[float, Meta(ge=1, le=86_400)]
DrainSeconds = Annotated[float, Meta(ge=0, le=86_400)]
LeaveSeconds = Annotated[float, Meta(gt=0, le=300)]
SilenceSeconds = Annotated[float, Meta(ge=2, le=86_400)]
Leeway = Annotated[float, Meta(ge=0, le=600)]
LifeTime = Annotated[float, Meta(gt=0, le=31_536_000)]
PingMillis = Annotated[int, Meta(ge=100, le=600_000)]
GraceMillis = Annotated[int, Meta(ge=0, le=3_600_000)]
LagMillis = Annotated[int, Meta(ge=10, le=60_000)]
RoomSeconds = Annotated[float, Meta(ge=0, le=31_536_000)]
FlapMillis = Annotated[int, Meta(ge=0, le=60_000)]
Count = Annotated[int, Meta(ge=1, le=10_000_000)]
Workers = Annotated[int, Meta(ge=1, le=64)]
Bytes = Annotated[int, Meta(ge=1, le=1 << 30)]
Share = Annotated[float, Meta(ge=0, le=1)]
Texts = tuple[str, ...]
