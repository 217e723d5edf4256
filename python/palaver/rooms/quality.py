"""How good a participant's connection is. Pure arithmetic."""

from __future__ import annotations

from typing import Final, Literal

Trend = Literal["up", "steady", "down"]

TOLD_SECONDS: Final = 2.0
"""peerQuality is told at most this often per participant."""


def score(rtt_ms: float, jitter_ms: float, loss: float) -> float:
    """A mean opinion score from 0 (unusable) to 5, by the E-model (ITU-T G.107) reduced to delay and loss.

    `rtt_ms` and `jitter_ms` in milliseconds, `loss` as a ratio from 0 to 1. The delay is half the round trip plus a
    jitter buffer of twice the jitter plus 10 ms of codec; the slope of loss is that of a robust codec (Bpl 25).
    """
    delay = rtt_ms / 2 + 2 * jitter_ms + 10
    rating = 93.2 - 0.024 * delay - (0.11 * (delay - 177.3) if delay > 177.3 else 0.0)
    percent = 100 * loss
    rating -= 95 * percent / (percent + 25)
    if rating <= 0:
        return 0.0
    if rating >= 100:
        return 5.0
    opinion = 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6
    return round(max(0.0, min(5.0, (opinion - 1) * 5 / 3.5)), 2)


class Quality:
    """The quality that a participant reported: smoothed, with a trend, and what the others were told of it."""

    __slots__ = ("_told", "_told_at", "score", "trend", "waiting")

    def __init__(self) -> None:
        self.score: float | None = None
        self.trend: Trend = "steady"
        self.waiting = False
        """Whether a change is to be told as soon as 2 s have passed."""
        self._told: int | None = None
        self._told_at = float("-inf")

    def report(self, fresh: float) -> None:
        if self.score is None:
            self.score = fresh
            return
        change = fresh - self.score
        self.trend = "up" if change > 0.25 else "down" if change < -0.25 else "steady"
        self.score = round(0.5 * self.score + 0.5 * fresh, 2)

    def to_tell(self, now: float) -> bool:
        """Whether the others are to be told now: the bucket (the rounded score) changed, and 2 s have passed."""
        if self.score is None or round(self.score) == self._told or now < self.next_telling:
            return False
        self._told, self._told_at = round(self.score), now
        return True

    @property
    def next_telling(self) -> float:
        return self._told_at + TOLD_SECONDS

    @property
    def has_news(self) -> bool:
        """Whether the others know another bucket than the present one."""
        return self.score is not None and round(self.score) != self._told
