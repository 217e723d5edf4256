"""The traceparent of an envelope stands in the log records that the request causes, and in no others."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from harness.plane import Client, Stage
from harness.settings import node_settings
from palaver.observe.logs import LogHandler, configure
from palaver.settings import LogSettings

GOOD = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    root = logging.getLogger()
    level = root.level
    configure(LogSettings(format="json"), stream)
    yield stream
    for handler in [each for each in root.handlers if isinstance(each, LogHandler)]:
        root.removeHandler(handler)
    root.setLevel(level)


def inject(client: Client, **envelope: Any) -> None:
    """chaosInject writes a log record."""
    params = {"fault": "delay", "scope": "self", "ms": 1, "ttlS": 1}
    request = {"jsonrpc": "2.0", "id": 1, "method": "chaosInject", "params": params, **envelope}
    client.receive(msgspec.json.encode(request))


@pytest.mark.parametrize(
    ("traceparent", "shown"),
    [
        (GOOD, GOOD),
        ("cc" + GOOD[2:] + "-more", "cc" + GOOD[2:] + "-more"),
        ("ff" + GOOD[2:], None),
        (GOOD.upper(), None),
        ("00-" + "0" * 32 + GOOD[35:], None),
        ("rubbish", None),
        (None, None),
    ],
)
def test_log_records_of_a_request_carry_its_traceparent(
    logged: io.StringIO, traceparent: str | None, shown: str | None
) -> None:
    stage = Stage(node_settings(chaos=True))
    client = stage.connect()
    client.join(token=stage.token("alice", chaos=True))
    inject(client, **({} if traceparent is None else {"traceparent": traceparent}))
    inject(client)
    first, second = [json.loads(line) for line in logged.getvalue().splitlines()]
    assert first["event"] == "fault injected"
    assert first.get("traceparent") == shown
    assert "traceparent" not in second
