"""A GCRA bucket: the virtual-scheduling form of the leaky bucket (ITU-T I.371 Annex A)."""

from __future__ import annotations


class Bucket:
    """Admits `rate` events per second on average and `burst` at once. Two floats of state, no timer."""

    __slots__ = ("_interval", "_theoretical", "_tolerance")

    def __init__(self, rate: float, burst: float) -> None:
        if rate <= 0 or burst < 1:
            raise ValueError(f"a bucket needs rate > 0 and burst >= 1, not rate={rate}, burst={burst}")
        self._interval = 1.0 / rate
        self._tolerance = (burst - 1) * self._interval
        self._theoretical = float("-inf")

    def admit(self, now: float, cost: float = 1.0) -> float:
        """Returns 0.0 and counts the event if it conforms, else the seconds to wait, changing nothing."""
        theoretical = max(self._theoretical, now)
        wait = theoretical + (cost - 1) * self._interval - self._tolerance - now
        if wait > 1e-9:
            return wait
        self._theoretical = theoretical + cost * self._interval
        return 0.0
