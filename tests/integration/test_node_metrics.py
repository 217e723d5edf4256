"""What /metrics of a node shows after a call: names that operators can rely on, and no label per user."""

from __future__ import annotations

import asyncio
import re
import urllib.request
from pathlib import Path

from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from harness.node import RunningNode, running_node
from harness.settings import KEY_ID, node_settings
from palaver.client import Client
from palaver.settings import ClusterSettings
from unit.gateway.raw_websocket import on_uvloop


async def page(node: RunningNode) -> str:
    def read() -> str:
        with urllib.request.urlopen(f"{node.http}/metrics") as answer:
            return str(answer.read().decode())

    return await asyncio.to_thread(read)


async def scrape(node: RunningNode) -> dict[tuple[str, ...], float]:
    text = await page(node)
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


@on_uvloop
async def test_every_number_is_explained_in_words_of_its_own(tmp_path: Path) -> None:
    webhooks = {"urls": ("http://127.0.0.1:9/hook",), "key": KEY_ID}
    settings = replace(
        node_settings(webhooks=webhooks, state_dir=str(tmp_path)),
        cluster=ClusterSettings(enabled=True, port=0),
    )
    async with running_node(settings) as node:
        text = await page(node)
    said = {line.split(" ", 3)[2]: line.split(" ", 3)[3] for line in text.splitlines() if "# HELP" in line}
    assert {name.split("_")[1] for name in said} >= {
        "gateway",
        "signaling",
        "media",
        "cluster",
        "webhooks",
        "node",
    }
    made_of_its_name = re.compile(r"of the [a-z]+\.$")
    assert [name for name, words in said.items() if made_of_its_name.search(words)] == []
