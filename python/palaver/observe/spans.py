"""SpanExport: a span for each request, sent to an OpenTelemetry collector. The extra `palaver[otel]` brings the library.

Nothing of OpenTelemetry is imported until a SpanExport is made.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from palaver.errors import StartError
from palaver.observe.metric import Metric, counters
from palaver.settings import TracingSettings
from palaver.version import VERSION

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span

log = logging.getLogger(__name__)

BATCH_SPANS: Final = 512
"""Spans of one request to the collector: the library's own default."""
BATCH_MILLIS: Final = 1000
"""How long a span waits at most for others to be sent with it."""
EXPORT_SECONDS: Final = 5.0
"""How long a collector may take for a batch, repeats included; then the batch is lost."""
CLOSE_SECONDS: Final = 2.0
"""How long the end of a node waits for the last batch."""
LAST_SPANS: Final = "last spans"
"""Name of the thread that ends the library."""


class SpanExport:
    """Makes spans and sends them from a thread of its own; the loop never waits. End it with `close`.

    At most `settings.queue_spans` wait; further ones are lost. Raises StartError where the extra is not installed.
    """

    def __init__(self, settings: TracingSettings, node: str, exporter: SpanExporter | None = None) -> None:
        """`exporter` takes the spans instead of the collector."""
        try:
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
            from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

            self._delivery = _delivery(exporter or _collector(settings.endpoint))
        except ImportError as error:
            raise StartError(
                "tracing.endpoint is set, but OpenTelemetry is not installed:"
                " pip install 'palaver[otel]', or leave tracing.endpoint empty"
                f" ({error})"
            ) from error
        # It complains of each span that a full queue loses and of each batch that fails; `metrics` and we say so.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        resource = {"service.name": "palaver", "service.version": VERSION, "service.instance.id": node}
        self._provider = TracerProvider(
            sampler=_sampler(settings.ratio), resource=Resource.create(resource), shutdown_on_exit=False
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(
                self._delivery,
                max_queue_size=settings.queue_spans,
                schedule_delay_millis=BATCH_MILLIS,
                max_export_batch_size=min(BATCH_SPANS, settings.queue_spans),
            )
        )
        self._tracer = self._provider.get_tracer("palaver", VERSION)
        self._extract = TraceContextTextMapPropagator().extract
        self._begun = 0

    def begin(self, method: str, traceparent: str | None, room: str | None) -> RequestSpan:
        """Begins the span of a request, as a child of `traceparent` (W3C Trace Context) where that is well formed."""
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind

        self._begun += 1
        # An empty context where there is no parent: else it would be whatever this task runs in.
        parent = self._extract({"traceparent": traceparent}) if traceparent is not None else Context()
        attributes = {"rpc.system": "jsonrpc", "rpc.jsonrpc.version": "2.0", "rpc.method": method}
        if room is not None:
            attributes["palaver.room"] = room
        return RequestSpan(self._tracer.start_span(method, parent, SpanKind.SERVER, attributes))

    def flush(self) -> None:
        """Sends what waits, and comes back when that is done. Blocking."""
        self._provider.force_flush()

    async def close(self) -> None:
        """Sends what waits, but gives up a collector that takes longer than CLOSE_SECONDS. Safe to call again."""
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def shut_down() -> None:
            self._provider.shutdown()
            with contextlib.suppress(RuntimeError):  # the loop has not waited, and is closed
                loop.call_soon_threadsafe(done.set)

        # A daemon of its own: a worker of asyncio's pool would hold up the end of the process.
        threading.Thread(target=shut_down, name=LAST_SPANS, daemon=True).start()
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await done.wait()
        except TimeoutError:
            self._delivery.shutdown()  # else the library would go on asking it until EXPORT_SECONDS are over

    def metrics(self) -> list[Metric]:
        """Spans begun, exported and failed; what is in none of the latter waits, was not sampled, or was lost."""
        numbers = {
            "spans": self._begun,
            "spans_exported": self._delivery.exported,
            "spans_failed": self._delivery.failed,
        }
        help = {
            "spans": "Spans begun.",
            "spans_exported": "Spans that the collector took.",
            "spans_failed": "Spans that the collector did not take.",
        }
        return counters("tracing", numbers, help)


class RequestSpan:
    """One request under way. Call `end` once."""

    __slots__ = ("_span",)

    def __init__(self, span: Span) -> None:
        self._span = span

    def end(self, session: str, room: str | None, code: int = 0, reason: str = "") -> None:
        """`code` and `reason` are those of an error reply. Only what broke on our side counts as a failure of ours."""
        from opentelemetry.trace import Status, StatusCode

        span = self._span
        if span.is_recording():
            span.set_attribute("palaver.session", session)
            if room is not None:
                span.set_attribute("palaver.room", room)
            if reason:
                span.set_attribute("rpc.jsonrpc.error_code", code)
                span.set_attribute("error.type", reason)
                if reason == "internal":
                    span.set_status(Status(StatusCode.ERROR))
        span.end()


def _collector(endpoint: str) -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(endpoint=endpoint, timeout=EXPORT_SECONDS)  # type: ignore[arg-type,unused-ignore] # was int


def _sampler(ratio: float) -> Any:
    """Whoever asks not to be traced is not. Whoever asks to be is subject to the ratio: clients do not decide our bill."""
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    share = TraceIdRatioBased(ratio)
    return ParentBased(root=share, remote_parent_sampled=share)


def _delivery(to: SpanExporter) -> Any:
    """An exporter that counts what the other one takes, and says in the log when that begins to fail and when it ends.

    Made in a function, because its base class is not there without the extra.
    """
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class Delivery(SpanExporter):
        exported = failed = 0
        failing = ended = False

        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            result = to.export(spans)
            good = result is SpanExportResult.SUCCESS
            if good:
                self.exported += len(spans)
            else:
                self.failed += len(spans)
            if good == self.failing:
                self.failing = not good
                if good:
                    log.info("spans can be exported again")
                else:
                    log.warning("spans cannot be exported: the collector does not take them")
            return result

        def shutdown(self) -> None:
            if not self.ended:
                self.ended = True
                to.shutdown()

        def force_flush(self, timeout_millis: int = 30000) -> bool:
            return to.force_flush(timeout_millis)

    return Delivery()
