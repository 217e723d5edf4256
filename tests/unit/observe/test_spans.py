"""Spans of requests, made with the real SDK and kept in its memory."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from harness.plane import Client, Stage
from palaver.observe import SpanExport
from palaver.settings import TracingSettings

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Traced:
    """A plane whose requests have spans."""

    def __init__(self, exporter: SpanExporter | None = None, **settings: Any) -> None:
        self.kept = InMemorySpanExporter()
        self.export = SpanExport(TracingSettings(**settings), "node-a", exporter or self.kept)
        self.stage = Stage(tracer=self.export)

    def spans(self) -> list[ReadableSpan]:
        self.export.flush()
        return list(self.kept.get_finished_spans())

    def numbers(self) -> dict[str, Any]:
        return {each.name: each.samples[()] for each in self.export.metrics()}


@pytest.fixture
async def traced() -> Any:
    one = Traced()
    yield one
    await one.export.close()


@pytest.fixture(autouse=True)
def library_level() -> Iterator[None]:
    """SpanExport sets the library's level for the process."""
    logger = logging.getLogger("opentelemetry")
    level = logger.level
    yield
    logger.setLevel(level)


def send(client: Client, method: str, **envelope: Any) -> None:
    request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {}, **envelope}
    client.receive(msgspec.json.encode(request))


async def test_each_request_has_a_span_with_its_session_and_room(traced: Traced) -> None:
    alice = traced.stage.enter("alice", room="garden")
    alice.call("heartbeat", t=1)
    alice.call("leave")
    spans = traced.spans()
    assert [span.name for span in spans] == ["join", "heartbeat", "leave"]
    (session,) = {span.attributes["palaver.session"] for span in spans if span.attributes}
    assert str(session).startswith("s_")
    for span in spans:
        assert span.attributes is not None
        assert (span.attributes["palaver.room"], span.kind) == ("garden", SpanKind.SERVER)
        assert span.attributes["rpc.method"] == span.name
        assert span.status.status_code is StatusCode.UNSET
        assert span.parent is None
        assert span.start_time is not None and span.end_time is not None and span.start_time <= span.end_time
    assert spans[0].resource.attributes["service.instance.id"] == "node-a"
    assert traced.numbers() == {"tracing_spans": 3, "tracing_spans_exported": 3, "tracing_spans_failed": 0}


async def test_the_traceparent_of_an_envelope_is_the_parent(traced: Traced) -> None:
    client = traced.stage.enter("alice")
    send(client, "roomInfo", traceparent=PARENT)
    span = traced.spans()[-1]
    assert span.parent is not None and span.context is not None
    assert f"{span.context.trace_id:032x}" == PARENT.split("-")[1]
    assert f"{span.parent.span_id:016x}" == PARENT.split("-")[2]
    assert span.parent.is_remote


@pytest.mark.parametrize(
    "malformed", ["", "00-1-2-01", PARENT.replace("4bf9", "xxxx"), "00-" + "0" * 32 + "-1-01"]
)
async def test_a_malformed_traceparent_is_no_parent(traced: Traced, malformed: str) -> None:
    send(traced.stage.enter("alice"), "roomInfo", traceparent=malformed)
    assert traced.spans()[-1].parent is None


async def test_a_refused_request_carries_its_reason_and_is_no_failure_of_ours(traced: Traced) -> None:
    send(traced.stage.connect(), "roomInfo")
    (span,) = traced.spans()
    assert span.attributes is not None
    assert (span.attributes["error.type"], span.attributes["rpc.jsonrpc.error_code"]) == (
        "unauthenticated",
        -32001,
    )
    assert span.status.status_code is StatusCode.UNSET


async def test_what_broke_on_our_side_is_an_error(
    traced: Traced, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    alice = traced.stage.enter("alice")

    def broken(message: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(traced.stage.plane.router, "route", broken)
    send(alice, "roomInfo")
    span = traced.spans()[-1]
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes is not None and span.attributes["error.type"] == "internal"


async def test_clients_make_up_no_names_of_spans(traced: Traced) -> None:
    send(traced.stage.enter("alice"), "x" * 60)
    assert traced.spans()[-1].name == "unknown"


async def test_no_token_and_no_description_is_in_a_span(traced: Traced) -> None:
    client = traced.stage.connect()
    client.join("garden", token=(token := traced.stage.token("alice")))
    assert token not in "".join(span.to_json() for span in traced.spans())


async def test_the_ratio_holds_for_those_who_ask_too_and_who_asks_not_to_be_traced_is_not() -> None:
    silent, loud = Traced(ratio=0.0), Traced(ratio=1.0)
    for each in (silent, loud):
        client = each.stage.enter("alice")
        send(client, "roomInfo", traceparent=PARENT)
        send(client, "heartbeat", traceparent=PARENT[:-2] + "00", params={"t": 1})
    assert silent.spans() == []
    assert [span.name for span in loud.spans()] == ["join", "roomInfo"]
    for each in (silent, loud):
        await each.export.close()


class Refusing(SpanExporter):
    """A collector that takes nothing until it is told to."""

    def __init__(self) -> None:
        self.result = SpanExportResult.FAILURE

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self.result


async def test_a_collector_that_is_away_costs_a_line_in_the_log_and_no_request(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    collector = Refusing()
    traced = Traced(collector)
    alice = traced.stage.enter("alice")
    for _ in range(3):
        assert alice.call("heartbeat", t=1)["t"] == 1
        traced.export.flush()
    collector.result = SpanExportResult.SUCCESS
    alice.call("heartbeat", t=1)
    traced.export.flush()
    said = [each.message for each in caplog.records if "spans" in each.message]
    assert said == [
        "spans cannot be exported: the collector does not take them",
        "spans can be exported again",
    ]
    assert traced.numbers() == {"tracing_spans": 5, "tracing_spans_exported": 1, "tracing_spans_failed": 4}
    await traced.export.close()


class Stuck(SpanExporter):
    """A collector that does not answer until the test is over."""

    def __init__(self) -> None:
        import threading

        self.over = threading.Event()
        self.taken = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.over.wait(30)
        self.taken += len(spans)
        return SpanExportResult.SUCCESS


async def test_what_waits_for_a_slow_collector_is_bounded() -> None:
    collector = Stuck()
    traced = Traced(collector, queue_spans=10)
    alice = traced.stage.enter("alice")
    for _ in range(50):
        alice.call("heartbeat", t=1)
    collector.over.set()
    traced.export.flush()
    assert collector.taken <= 20, "what was on its way, and what waited"
    assert traced.numbers()["tracing_spans"] == 51
    await traced.export.close()


def test_without_the_extra_a_node_that_shall_trace_says_what_to_install_and_another_starts() -> None:
    code = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from palaver.observe import SpanExport\n"
        "from palaver.settings import TracingSettings\n"
        "from palaver.errors import StartError\n"
        "import palaver.node\n"
        "try: SpanExport(TracingSettings(endpoint='http://127.0.0.1:4318/v1/traces'), 'a')\n"
        "except StartError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (
        "tracing.endpoint is set, but OpenTelemetry is not installed: pip install 'palaver[otel]'"
        in done.stdout
    )
    assert done.stderr == ""


def test_a_node_without_tracing_imports_nothing_of_it() -> None:
    code = (
        "import sys, palaver.node; print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
