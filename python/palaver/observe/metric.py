"""One metric as its owner shows it: a name, what it means, and the numbers of this moment.

Hot paths keep plain integers (`counters["framesIn"] += 1`) and know nothing of Prometheus; a source turns
them into metrics when somebody asks. Incrementing a prometheus_client child costs 1.4 µs, too much per frame.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from msgspec import Struct

from palaver.observe.histogram import Histogram

PER_USER_LABELS = frozenset(
    {"id", "room", "peer", "session", "identity", "producer", "consumer", "transport", "address"}
)
"""Labels whose values grow with the number of users: each value is a time series that the scraper keeps."""

_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Metric(Struct, frozen=True):
    """A metric without the prefix `palaver_`, in base units (seconds, bytes) that its name ends with.

    A counter's name is written without `_total`; the exporter adds it. `samples` maps the values of `labels`,
    in their order, to a number (to a Histogram for that kind); a metric without labels has the one key `()`.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    samples: Mapping[tuple[str, ...], float | Histogram]
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for word in (self.name, *self.labels):
            if not _NAME.match(word):
                raise ValueError(
                    f"{word!r} is no metric or label name: lower case letters, digits and _ only"
                )
        if self.kind == "counter" and self.name.endswith("_total"):
            raise ValueError(f"{self.name!r}: write a counter's name without _total")
        if per_user := PER_USER_LABELS.intersection(self.labels):
            raise ValueError(f"{self.name!r} has a label per user: {', '.join(sorted(per_user))}")
        if any(isinstance(one, Histogram) != (self.kind == "histogram") for one in self.samples.values()):
            raise ValueError(f"{self.name!r}: histograms, and only they, have samples that are histograms")
        if any(len(key) != len(self.labels) for key in self.samples):
            raise ValueError(f"{self.name!r} has a sample that does not fit its labels {self.labels}")


Source = Callable[[], Iterable[Metric]]
"""Shows the numbers of this moment. Called once per scrape, on the loop's thread: it must not block."""


def counters(
    subsystem: str, values: Mapping[str, float], help: Mapping[str, str] | None = None
) -> list[Metric]:
    """Makes counters of a plain dict: `framesIn` of subsystem `gateway` becomes `gateway_frames_in`."""
    return _plain("counter", subsystem, values, help or {})


def gauges(
    subsystem: str, values: Mapping[str, float], help: Mapping[str, str] | None = None
) -> list[Metric]:
    """Makes gauges of a plain dict, named as by `counters`."""
    return _plain("gauge", subsystem, values, help or {})


def _plain(
    kind: Literal["counter", "gauge"], subsystem: str, values: Mapping[str, float], help: Mapping[str, str]
) -> list[Metric]:
    metrics = []
    # A copy: the owner may add a key while a scrape is under way in another thread.
    for key, value in dict(values).items():
        words = _HUMP.sub("_", key).lower()
        text = help.get(key) or f"{words.replace('_', ' ').capitalize()} of the {subsystem}."
        metrics.append(Metric(f"{subsystem}_{words.removesuffix('_total')}", kind, text, {(): value}))
    return metrics
