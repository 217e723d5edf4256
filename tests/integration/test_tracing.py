"""A node that sends its spans to a collector: a real OTLP/HTTP receiver on loopback."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from harness.guest import guest
from harness.node import running_node
from harness.web_app import on_loopback
from palaver.observe.spans import LAST_SPANS

NO_MEDIA = {"embedded": False}


class Collector:
    def __init__(self, status: int = 200) -> None:
        self.url = ""
        self.status = status
        self.asked = 0
        self.spans: list[Span] = []
        self.services: set[str] = set()
        self.changed = asyncio.Event()

    async def take(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/x-protobuf"
        self.asked += 1
        for resource in ExportTraceServiceRequest.FromString(await request.read()).resource_spans:
            names = {each.key: each.value.string_value for each in resource.resource.attributes}
            self.services.add(names["service.name"])
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)
        self.changed.set()
        return web.Response(status=self.status, content_type="application/x-protobuf")


@asynccontextmanager
async def collector(status: int = 200) -> AsyncIterator[Collector]:
    one = Collector(status)
    async with on_loopback(web.post("/v1/traces", one.take)) as server:
        one.url = f"{server}/v1/traces"
        yield one


@pytest.fixture(autouse=True)
def library_level() -> Iterator[None]:
    logger = logging.getLogger("opentelemetry")
    level = logger.level
    yield
    logger.setLevel(level)


async def test_spans_arrive_at_the_collector_while_the_node_runs_and_the_last_at_its_end() -> None:
    async with collector() as one:
        async with (
            running_node(media=NO_MEDIA, tracing={"endpoint": one.url}) as node,
            guest(node, "alice") as alice,
        ):
            await alice.call("heartbeat", t=1)
            async with asyncio.timeout(10):
                await one.changed.wait()
            async with aiohttp.ClientSession() as http, http.get(f"{node.http}/metrics") as answer:
                assert "palaver_tracing_spans_exported_total" in await answer.text()
            await alice.call("roomInfo")
        assert [span.name for span in one.spans] == ["join", "heartbeat", "roomInfo"]
        assert one.services == {"palaver"}


async def test_a_collector_that_is_not_there_holds_up_neither_calls_nor_the_end() -> None:
    endpoint = "http://127.0.0.1:9/v1/traces"
    async with running_node(media=NO_MEDIA, tracing={"endpoint": endpoint}) as node, guest(node, "a") as one:
        for _ in range(20):
            await one.call("heartbeat", t=1)
    assert node.node.spans is not None


async def test_a_collector_that_was_given_up_is_asked_no_more() -> None:
    async with collector(status=503) as one:
        async with running_node(media=NO_MEDIA, tracing={"endpoint": one.url}) as node, guest(node, "a"):
            pass
        asked = one.asked
        assert asked
        for thread in threading.enumerate():
            if thread.name == LAST_SPANS:
                await asyncio.to_thread(thread.join)
        assert one.asked == asked
