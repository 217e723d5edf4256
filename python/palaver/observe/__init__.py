"""What a node says about itself: counters that others keep, shown to whoever scrapes them."""

from palaver.observe.diagnostic_tool import DiagnosticTool as DiagnosticTool
from palaver.observe.diagnostic_tool import Report as Report
from palaver.observe.exporter import MetricsExporter as MetricsExporter
from palaver.observe.histogram import Histogram as Histogram
from palaver.observe.lag import LoopLag as LoopLag
from palaver.observe.metric import Metric as Metric
from palaver.observe.metric import Source as Source
from palaver.observe.metric import counters as counters
from palaver.observe.metric import gauges as gauges
from palaver.observe.metrics_tracker import MetricsTracker as MetricsTracker
from palaver.observe.metrics_tracker import Summary as Summary
from palaver.observe.spans import SpanExport as SpanExport
