"""The machine-readable protocol and the tables of docs/protocol.md say what the node decodes with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from palaver.protocol.methods.table import METHODS
from palaver.protocol.schema import events, openrpc
from palaver.protocol.tables import tables

DOCUMENT = openrpc("0")
PAGE = Path(__file__).parents[3] / "docs/protocol.md"

# shared/mission of the project: handler → verbs.
FOUNDING = {
    "SessionHandler": "join leave disconnect heartbeat roomInfo",
    "ProducerHandler": "createProducer closeProducer pauseProducer resumeProducer replaceTrack changeEncoding",
    "ConsumerHandler": "createConsumer closeConsumer pauseConsumer resumeConsumer preferredLayers",
    "TransportHandler": "sdpOffer sdpAnswer iceCandidate iceRestart connectTransport",
    "MediaControlHandler": "mute unmute networkQuality videoStats audioStats mediaError",
    "RoomAdminHandler": "lockRoom unlockRoom kickUser setRole",
    "DiagnosticsHandler": "debugPing traceEvent chaosInject",
    "AuthHandler": "auth validateToken refreshToken",
}


def test_all_verbs_are_there_each_at_its_handler() -> None:
    table = {name: method.handler for name, method in METHODS.items()}
    assert table == {verb: handler for handler, verbs in FOUNDING.items() for verb in verbs.split()}
    assert len(table) == 37


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for each in value.values() for found in references(each)]
    return [found for each in value for found in references(each)] if isinstance(value, list) else []


def test_every_reference_leads_somewhere() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    found = references(DOCUMENT)
    assert len(found) > 100
    assert all(each.removeprefix("#/components/schemas/") in schemas for each in found)


def patterns(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["pattern"]] if isinstance(value.get("pattern"), str) else []
        return own + [found for each in value.values() for found in patterns(each)]
    return [found for each in value for found in patterns(each)] if isinstance(value, list) else []


def test_patterns_are_those_of_ecmascript() -> None:
    found = patterns(DOCUMENT)
    assert found
    assert not any("\\Z" in pattern for pattern in found)


@pytest.mark.parametrize("name", sorted(events()))
def test_event_names_are_camel_case(name: str) -> None:
    assert re.fullmatch(r"[a-z]+([A-Z][a-z]+)*", name)


def test_the_page_carries_the_tables_of_today() -> None:
    """To mend: `make docs`."""
    page = PAGE.read_text()
    shown = page.split("<!-- tables -->\n")[1].split("\n<!-- /tables -->")[0]
    assert shown == tables()
