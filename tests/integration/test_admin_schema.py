"""schemathesis: requests made from the OpenAPI document, good and bad ones, against a real node."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings

schemathesis = pytest.importorskip("schemathesis")

TOKEN = "an-admin-token-for-tests-of-more-than-32-bytes"
BEYOND_SCHEMA = "positive_data_acceptance"
"""Some rules are beyond a schema: text in NFC, a kick names a peer or an identity, 1.0 is no integer."""
REFUSAL = "negative_data_rejection"
"""Not to be asked where what was wrong is not sent: a query with one field too many whose value is a list of nothing, which is
written as nothing; a missing Authorization, which every call here brings along."""
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The document of a node that runs as a process, for schemathesis is not async.

    Not in a thread: hypothesis parses lambdas while the node still imports, and CPython 3.11 keeps the recursion
    depth of its AST constructor per interpreter (gh-106905), so that two threads trip over each other.
    """
    state = tmp_path_factory.mktemp("state")
    settings = ("--port", "0", "--http-port", "0", "--gossip-port", "0", "--set", f"http.admin_token={TOKEN}")
    process = subprocess.Popen(
        [sys.executable, "-m", "palaver.cli", "dev", *settings, "--state-dir", str(state), "--json"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        address = json.loads(process.stdout.readline())["http"]
        yield schemathesis.openapi.from_url(f"{address}/v1/openapi.json", headers=HEADERS)
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_the_node_does_what_its_document_says(api: Any, mode: str) -> None:
    """Every operation: no request breaks the node, what does not fit is refused, and each answer is a documented one."""
    operations = [each.ok() for each in api.get_all_operations()]
    assert len(operations) > 10
    beyond, refusal = map(schemathesis.checks.CHECKS.get_one, (BEYOND_SCHEMA, REFUSAL))
    for operation in operations:

        @settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode)))
        def holds(case: Any) -> None:
            response = case.call(headers=HEADERS)
            sent = dict(parse_qsl(urlsplit(response.request.url).query, keep_blank_values=True))
            lost = any(not sent.get(name) for name in case.query or ())
            case.validate_response(
                response, headers=HEADERS, excluded_checks=[beyond, refusal] if lost else [beyond]
            )

        holds()
