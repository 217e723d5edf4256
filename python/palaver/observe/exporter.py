"""MetricsExporter: everybody's plain counters as one page of Prometheus text, or as JSON."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from palaver.observe.histogram import Histogram
from palaver.observe.metric import Metric, Source

_log = logging.getLogger(__name__)


class MetricsExporter:
    """Asks each source for its metrics whenever `export` is called; keeps no number of its own.

    A source that raises loses its metrics for that scrape and shows as `palaver_source_up{source="…"} 0`; the
    others are not touched. The process's own memory, CPU and file descriptors come along under the names that
    every Prometheus dashboard knows (`process_…`).
    """

    content_type = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self._sources = dict(sources)
        self._registry = CollectorRegistry()
        self._registry.register(_Sources(self._sources))
        ProcessCollector(registry=self._registry)

    def add(self, name: str, source: Source) -> None:
        """Adds a source, or replaces the one of that name."""
        self._sources[name] = source

    def export(self, format: Literal["prometheus", "json"] = "prometheus") -> bytes:
        """Returns the Prometheus text exposition (format 0.0.4), UTF-8, or the same numbers as JSON.

        In JSON a metric is ``name: {kind, help, samples: [{name, labels, value}]}``; a sample that is no number is null.
        Raises ValueError for another format.
        """
        if format == "prometheus":
            return generate_latest(self._registry)
        if format != "json":
            raise ValueError(f"metrics are exported as prometheus or json, not {format!r}")
        return json.dumps({family.name: _as_json(family) for family in self._registry.collect()}).encode()


def _as_json(family: Family) -> dict[str, object]:
    samples = [
        {"name": each.name, "labels": each.labels, "value": each.value if math.isfinite(each.value) else None}
        for each in family.samples
    ]
    return {"kind": family.type, "help": family.documentation, "samples": samples}


class _Sources(Collector):
    """The one custom collector."""

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self._of = sources

    def describe(self) -> Iterable[Family]:
        return ()  # so that registering does not ask sources that are not running yet

    def collect(self) -> Iterator[Family]:
        up = GaugeMetricFamily(
            "palaver_source_up", "Whether a source of metrics could be read.", labels=["source"]
        )
        seen: set[str] = set()
        for name, source in list(self._of.items()):
            try:
                metrics = list(source())
            except Exception:  # a broken source must not cost the operator the others
                _log.exception("metrics source failed", extra={"source": name})
                up.add_metric([name], 0)
                continue
            up.add_metric([name], 1)
            for metric in metrics:
                # A name twice makes the whole page unreadable for Prometheus: the first one stays.
                if metric.name not in seen:
                    seen.add(metric.name)
                    yield _family(metric)
        yield up


def _family(metric: Metric) -> Family:
    if metric.kind == "histogram":
        histogram = HistogramMetricFamily(f"palaver_{metric.name}", metric.help, labels=metric.labels)
        for values, sample in metric.samples.items():
            assert isinstance(sample, Histogram), "Metric has seen to it"
            histogram.add_metric(values, sample.cumulative(), sample.sum)
        return histogram
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = kind(f"palaver_{metric.name}", metric.help, labels=metric.labels)
    for values, number in metric.samples.items():
        assert not isinstance(number, Histogram), "Metric has seen to it"
        family.add_metric(values, number)
    return family
