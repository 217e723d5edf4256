from __future__ import annotations

import json

import pytest
from prometheus_client.parser import text_string_to_metric_families

from palaver.observe import Metric, MetricsExporter, counters, gauges


def scrape(exporter: MetricsExporter) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = exporter.export().decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_plain_counters_become_totals_with_the_prefix() -> None:
    values = {"framesIn": 3, "bytesInTotal": 20}
    exporter = MetricsExporter({"gateway": lambda: counters("gateway", values)})
    assert scrape(exporter)["palaver_gateway_frames_in_total", ()] == 3
    assert scrape(exporter)["palaver_gateway_bytes_in_total", ()] == 20


def test_numbers_are_those_of_the_moment_of_the_scrape() -> None:
    values = {"rooms": 1}
    exporter = MetricsExporter({"signaling": lambda: gauges("signaling", values)})
    assert scrape(exporter)["palaver_signaling_rooms", ()] == 1
    values["rooms"] = 7
    assert scrape(exporter)["palaver_signaling_rooms", ()] == 7


def test_labels_are_exported_in_their_order() -> None:
    metric = Metric("gateway_closes", "counter", "Closes.", {("4505",): 2, ("1000",): 5}, ("code",))
    samples = scrape(MetricsExporter({"gateway": lambda: [metric]}))
    assert samples["palaver_gateway_closes_total", (("code", "4505"),)] == 2
    assert samples["palaver_gateway_closes_total", (("code", "1000"),)] == 5


def test_a_broken_source_costs_only_its_own_metrics() -> None:
    def broken() -> list[Metric]:
        raise RuntimeError("no numbers today")

    exporter = MetricsExporter({"media": broken, "gateway": lambda: counters("gateway", {"frames": 1})})
    samples = scrape(exporter)
    assert samples["palaver_source_up", (("source", "media"),)] == 0
    assert samples["palaver_source_up", (("source", "gateway"),)] == 1
    assert samples["palaver_gateway_frames_total", ()] == 1


def test_a_name_that_two_sources_use_is_exported_once() -> None:
    exporter = MetricsExporter({"a": lambda: gauges("x", {"y": 1}), "b": lambda: gauges("x", {"y": 2})})
    assert exporter.export().count(b"\npalaver_x_y ") == 1


def test_a_source_can_be_added_later() -> None:
    exporter = MetricsExporter({})
    exporter.add("cluster", lambda: gauges("cluster", {"members": 3}))
    assert scrape(exporter)["palaver_cluster_members", ()] == 3


def test_the_process_is_shown_under_the_usual_names() -> None:
    assert ("process_resident_memory_bytes", ()) in scrape(MetricsExporter({}))


@pytest.mark.parametrize("label", ["room", "peer", "identity", "id"])
def test_a_label_per_user_is_refused(label: str) -> None:
    with pytest.raises(ValueError, match="label per user"):
        Metric("joins", "counter", "Joins.", {("x",): 1}, (label,))


@pytest.mark.parametrize("name", ["framesIn", "", "joins_total", "1st"])
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"name"):
        Metric(name, "counter", "x", {(): 1})


def test_a_sample_that_does_not_fit_its_labels_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        Metric("closes", "counter", "x", {(): 1}, ("code",))


def test_json_has_the_numbers_of_the_page() -> None:
    exporter = MetricsExporter(
        {"a": lambda: [Metric("a_things", "counter", "Things.", {("x",): 3.0}, ("kind",))]}
    )
    page = json.loads(exporter.export("json"))
    assert page["palaver_a_things"]["kind"] == "counter"
    assert page["palaver_a_things"]["samples"] == [
        {"name": "palaver_a_things_total", "labels": {"kind": "x"}, "value": 3.0}
    ]
    assert page["process_resident_memory_bytes"]["samples"][0]["value"] > 0


def test_an_unknown_format_is_an_error() -> None:
    with pytest.raises(ValueError, match="prometheus or json, not 'xml'"):
        MetricsExporter({}).export("xml")  # type: ignore[arg-type]
