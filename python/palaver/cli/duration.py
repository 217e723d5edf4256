"""Spans of time as people write them."""

from __future__ import annotations

import re

_NUMBER = r"[0-9]{1,9}"
_DECIMAL = rf"{_NUMBER}(?:\.{_NUMBER})?"
_SPAN = re.compile(
    rf"(?=.)(?:({_NUMBER})d)?(?:({_NUMBER})h)?(?:({_NUMBER})m)?(?:({_DECIMAL})s)?|({_DECIMAL})"
)


def seconds(text: str) -> float:
    """ "3600", "1h", "1h30m", "2d", "0.5", "2.5s" → seconds. Raises ValueError."""
    span = _SPAN.fullmatch(text)
    if span is None:
        raise ValueError(f"{text!r} is not a span of time like 3600, 2.5, 90s, 15m, 1h or 1h30m")
    days, hours, minutes, rest, alone = (float(number or 0) for number in span.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest + alone
