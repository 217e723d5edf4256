"""schemathesis: requests made from the OpenAPI document, good and bad ones, against a real node."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from harness.node import running_node

schemathesis = pytest.importorskip("schemathesis")

TOKEN = "an-admin-token-for-tests-of-more-than-32-bytes"
BEYOND_SCHEMA = "positive_data_acceptance"
"""Some rules are beyond a schema: text in NFC, a kick names a peer or an identity, 1.0 is no integer."""
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def api() -> Iterator[Any]:
    """The document of a node that runs in a thread of its own, for schemathesis is not async."""
    ready, stop, address = threading.Event(), asyncio.Event(), []
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with running_node(http={"admin_token": TOKEN}) as node:
            address.append(node.http)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=[serve()])
    thread.start()
    try:
        assert ready.wait(10)
        yield schemathesis.openapi.from_url(f"{address[0]}/v1/openapi.json", headers=HEADERS)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_the_node_does_what_its_document_says(api: Any, mode: str) -> None:
    """Every operation: no request breaks the node, what does not fit is refused, and each answer is a documented one."""
    operations = [each.ok() for each in api.get_all_operations()]
    assert len(operations) > 10
    beyond = schemathesis.checks.CHECKS.get_one(BEYOND_SCHEMA)
    for operation in operations:

        @settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode)))
        def holds(case: Any) -> None:
            case.call_and_validate(headers=HEADERS, excluded_checks=[beyond])

        holds()
