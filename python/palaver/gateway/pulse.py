"""When a silent client is pinged, and when it is given up. Pure: beats are counted, no clock is read."""

from __future__ import annotations

from enum import Enum, auto

BEATS_PER_PING = 2
"""Beats in one ping interval."""
_PING_AT = (2, 4)
_GONE_AT = 5
"""2.5 ping intervals."""


class Pulse(Enum):
    FINE = auto()
    PING = auto()
    GONE = auto()


def pulse(silent_beats: int) -> Pulse:
    """What a connection needs that has been silent for so many beats in a row."""
    if silent_beats >= _GONE_AT:
        return Pulse.GONE
    return Pulse.PING if silent_beats in _PING_AT else Pulse.FINE
