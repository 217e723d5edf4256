"""GCRA buckets: the virtual-scheduling form of the leaky bucket (ITU-T I.371 Annex A)."""

from __future__ import annotations

from collections import OrderedDict
from weakref import WeakValueDictionary


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


class Meter:
    """What one party has used: the theoretical arrival time of GCRA for each class of requests."""

    __slots__ = ("__weakref__", "times")

    def __init__(self, classes: int) -> None:
        self.times = [0.0] * classes


class Meters:
    """The meters of many parties, by name. Whoever uses one keeps it; then everybody who asks gets the same.

    Of those that nobody keeps, the `idle` last asked for are remembered, so that coming again is no way to a fresh
    one; memory does not grow with the number of parties that ever were.
    """

    def __init__(self, classes: int, idle: int) -> None:
        self.idle = idle
        self._classes = classes
        self._kept: WeakValueDictionary[str, Meter] = WeakValueDictionary()
        self._recent: OrderedDict[str, Meter] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def of(self, name: str) -> Meter:
        meter = self._recent.get(name) or self._kept.get(name)
        if meter is None:
            meter = self._kept[name] = Meter(self._classes)
        self._recent[name] = meter
        self._recent.move_to_end(name)
        while len(self._recent) > self.idle:
            self._recent.popitem(last=False)
        return meter
