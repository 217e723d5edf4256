"""What /metrics of a node shows after a call: names that operators can rely on, and no label per user."""

from __future__ import annotations

import asyncio
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from harness.node import RunningNode, running_node
from palaver.client import Client
from unit.gateway.raw_websocket import on_uvloop


async def scrape(node: RunningNode) -> dict[tuple[str, ...], float]:
    def read() -> str:
        with urllib.request.urlopen(f"{node.http}/metrics") as answer:
            return str(answer.read().decode())

    text = await asyncio.to_thread(read)
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@on_uvloop
async def test_a_call_shows_in_the_metrics() -> None:
    async with running_node() as node, Client(node.url, node.token("alice", room="room")) as client:
        await client.join("room")
        shown = await scrape(node)
    assert shown["palaver_signaling_participants",] == 1
    assert shown["palaver_signaling_rooms",] == 1
    assert shown["palaver_signaling_requests_total", "join"] == 1
    assert shown["palaver_signaling_handler_seconds_count", "join"] == 1
    assert shown["palaver_signaling_join_seconds_count",] == 1
    assert 0 < shown["palaver_signaling_join_seconds_sum",] < 10
    assert shown["palaver_signaling_tokens_total", "accepted"] >= 1
    assert shown["palaver_gateway_connections",] == 1
    assert shown["palaver_gateway_queued_bytes",] == 0
    assert shown["palaver_gateway_slow_readers_total",] == 0
    assert shown["palaver_node_loop_lag_seconds",] >= 0
    assert shown["palaver_node_draining",] == 0
    for source in ("gateway", "signaling", "media", "node"):
        assert shown["palaver_source_up", source] == 1
