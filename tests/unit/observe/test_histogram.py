from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from palaver.observe import Histogram, Metric, MetricsExporter


def test_a_value_on_a_bound_is_not_above_it() -> None:
    histogram = Histogram((0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 1.0, 7.0):
        histogram.observe(value)
    assert histogram.counts == [2, 2, 1]
    assert histogram.cumulative() == [("0.1", 2.0), ("1.0", 4.0), ("+Inf", 5.0)]
    assert histogram.sum == pytest.approx(8.65)


def test_a_histogram_is_exported_with_buckets_count_and_sum() -> None:
    histogram = Histogram((0.1, 1.0))
    histogram.observe(0.5)
    metric = Metric("join_seconds", "histogram", "Joins.", {("join",): histogram}, ("method",))
    text = MetricsExporter({"x": lambda: [metric]}).export().decode()
    samples = {
        (sample.name, sample.labels.get("le")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels.get("method") == "join"
    }
    assert samples == {
        ("palaver_join_seconds_bucket", "0.1"): 0,
        ("palaver_join_seconds_bucket", "1.0"): 1,
        ("palaver_join_seconds_bucket", "+Inf"): 1,
        ("palaver_join_seconds_count", None): 1,
        ("palaver_join_seconds_sum", None): 0.5,
    }


@pytest.mark.parametrize("kind", ["counter", "histogram"])
def test_kind_and_samples_must_fit(kind: str) -> None:
    sample = Histogram((1.0,)) if kind == "counter" else 1.0
    with pytest.raises(ValueError, match="histogram"):
        Metric("x", kind, "X.", {(): sample})  # type: ignore[arg-type]
