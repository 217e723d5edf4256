"""AdmissionController: buckets per connection, identity and address, the pre-auth limit, and what is shed under load."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from harness.plane import Client, Refusal, Stage
from harness.settings import node_settings
from palaver.settings import LimitSettings
from palaver.signaling.admission import CLASSES, SHED_AFTER_MS
from palaver.signaling.rate_limit import Meters


def tight(**limits: int) -> Stage:
    """Two requests at once and one a second; everything else is generous unless said."""
    rates = {"requests_per_second": 1, "request_burst": 2, **limits}
    return Stage(node_settings(limits=rates))


def beats_until_refused(client: Client) -> tuple[int, int]:
    """How many heartbeats are admitted, and the wait that the next is told."""
    for count in range(1000):
        try:
            client.call("heartbeat", t=1)
        except Refusal as refusal:
            assert refusal.reason == "rate_limited"
            return count, refusal.data["afterMs"]
    raise AssertionError("nothing is refused")


def connected(stage: Stage, identity: str, address: str) -> Client:
    client = stage.connect()
    stage.plane.messages.disconnected(client, 1000)
    client.address = address
    stage.plane.messages.connected(client)
    client.call("auth", token=stage.token(identity))
    return client


def test_a_connection_has_its_burst_and_then_its_rate() -> None:
    stage = tight(identity_factor=100, address_factor=100)
    client = connected(stage, "alice", "192.0.2.1")
    assert beats_until_refused(client) == (1, 1000)  # auth was the first
    stage.advance(1.0)
    assert beats_until_refused(client) == (1, 1000)


def test_connections_of_one_identity_share_its_bucket_whatever_their_address() -> None:
    stage = tight(identity_factor=2, address_factor=100)
    clients = [connected(stage, "alice", f"192.0.2.{n}") for n in range(5)]
    admitted = [beats_until_refused(client)[0] for client in clients]
    assert sum(admitted) == 4
    assert stage.plane.admission.refused["request", "identity"] == 1
    assert beats_until_refused(connected(stage, "bob", "192.0.2.1")) == (1, 1000)


def test_connections_from_one_address_share_its_bucket_whatever_their_identity() -> None:
    stage = tight(identity_factor=100, address_factor=3)
    clients = [connected(stage, name, "192.0.2.1") for name in ("alice", "bob", "carol")]
    assert sum(beats_until_refused(client)[0] for client in clients) == 3
    with pytest.raises(Refusal, match="rate_limited"):
        connected(stage, "dave", "192.0.2.1")
    assert stage.plane.admission.refused["request", "address"] == 1


def test_coming_again_is_no_way_to_a_fresh_bucket() -> None:
    stage = tight(address_factor=1)
    client = connected(stage, "alice", "192.0.2.1")
    beats_until_refused(client)
    client.lose()
    with pytest.raises(Refusal, match="rate_limited"):
        connected(stage, "alice", "192.0.2.1")


def test_a_refused_request_costs_nobody_anything() -> None:
    stage = tight(identity_factor=1, address_factor=2)
    alice = connected(stage, "alice", "192.0.2.1")
    beats_until_refused(alice)
    for _ in range(5):
        with pytest.raises(Refusal):
            alice.call("heartbeat", t=1)
    assert beats_until_refused(connected(stage, "bob", "192.0.2.1"))[0] == 1


def test_more_bytes_than_an_identity_may_send_close_with_4013() -> None:
    stage = Stage(node_settings(limits={"request_burst": 10_000, "identity_factor": 1}))
    pad = {"jsonrpc": "2.0", "id": 1, "method": "heartbeat", "params": {"t": 1, "pad": "x" * 250_000}}
    message = msgspec.json.encode(pad)

    def messages_until_closed(client: Client) -> int:
        for count in range(10_000):
            client.receive(message)
            if client.closed is not None:
                assert client.closed[0] == 4013
                return count
        raise AssertionError("it is never closed")

    assert messages_until_closed(stage.enter("mallory")) == 4 * 1024 * 1024 // len(message)
    assert messages_until_closed(stage.enter("mallory", room="elsewhere")) == 0, "a new socket is no help"
    honest = stage.enter("alice")
    for _ in range(60):
        honest.receive(message)
        stage.advance(0.3)
    assert honest.closed is None
    stage.advance(4)
    assert messages_until_closed(stage.enter("mallory")) > 10


@pytest.mark.parametrize(
    "large", ["createConsumer", "closeConsumer", "pauseConsumer", "join", "roomInfo", "mute"]
)
def test_a_request_that_goes_through_many_things_counts_as_several(large: str) -> None:
    stage = tight(request_burst=50, identity_factor=100, address_factor=100)
    for number in range(60):
        stage.enter(f"guest{number}")
    publisher = stage.enter("publisher")
    publisher.call("createProducer", id="cam", transport="t", kind="video", source="camera")
    client = stage.enter("alice", role="owner")
    items = [{"id": f"c{n}", "producer": "cam"} for n in range(60)]
    ids = [each["id"] for each in items]
    client.call("createConsumer", transport="r", items=items)
    stage.advance(100)
    params: dict[str, dict[str, Any]] = {
        "createConsumer": {"transport": "r", "items": items},
        "closeConsumer": {"ids": ids},
        "pauseConsumer": {"ids": ids},
        "join": {"room": "room"},
        "roomInfo": {},
        "mute": {"target": {"allExcept": []}},
    }
    client.call(large, **params[large])
    assert beats_until_refused(client)[0] == 46, "three more for sixty and some things"


def test_classes_do_not_eat_from_one_another() -> None:
    stage = tight(stats_per_second=1)
    client = stage.enter("alice")
    beats_until_refused(client)
    client.call("networkQuality", rttMs=10)


def test_memory_is_flat_under_many_addresses() -> None:
    meters = Meters(len(CLASSES), idle=100)
    kept = meters.of("kept")
    for number in range(100_000):
        meters.of(f"address {number}")
    assert len(meters) == 101
    assert meters.of("kept") is kept, "who is connected has the same bucket as before"


def test_a_reload_holds_for_connections_that_are_open() -> None:
    stage = tight()
    client = stage.enter("alice")
    beats_until_refused(client)
    stage.plane.prepare(node_settings(limits={"requests_per_second": 1, "request_burst": 10}))()
    assert beats_until_refused(client)[0] == 8


# --- before authentication ---


def test_requests_before_authentication_are_few() -> None:
    stage = Stage(node_settings(limits={"requests_before_auth": 3, "errors_per_window": 100}))
    client = stage.connect()
    for _ in range(3):
        with pytest.raises(Refusal, match="unauthenticated"):
            client.call("heartbeat", t=1)
    assert client.closed is None
    with pytest.raises(Refusal, match="rate_limited"):
        client.call("auth", token=stage.token("alice"))
    assert client.closed == (4505, "too many requests before authentication")


def test_notifications_before_authentication_count_too() -> None:
    stage = Stage(node_settings(limits={"requests_before_auth": 3, "errors_per_window": 100}))
    client = stage.connect()
    for _ in range(4):
        client.receive(msgspec.json.encode({"jsonrpc": "2.0", "method": "heartbeat", "params": {"t": 1}}))
    assert client.closed is not None and client.closed[0] == 4505


# --- under load ---

LIMIT = LimitSettings().shed_lag_ms / 1000
FIRST = ("videoStats", "audioStats", "traceEvent")
PARAMS = {"traceEvent": {"name": "mark"}, "networkQuality": {"rttMs": 10}}


def shed(client: Client) -> set[str]:
    refused = set()
    for method in (*FIRST, "networkQuality", "heartbeat", "roomInfo", "createProducer"):
        params = PARAMS.get(method, {"t": 1} if method == "heartbeat" else {})
        try:
            client.call(method, **params)
        except Refusal as refusal:
            if refusal.reason == "rate_limited":
                assert refusal.data["afterMs"] == SHED_AFTER_MS
                refused.add(method)
    return refused


@pytest.mark.parametrize(
    ("lag", "methods"),
    [
        (0.0, set()),
        (LIMIT, set()),
        (LIMIT * 1.01, set(FIRST)),
        (LIMIT * 2, set(FIRST)),
        (LIMIT * 2.01, {*FIRST, "networkQuality"}),
        (LIMIT * 100, {*FIRST, "networkQuality"}),
    ],
)
def test_statistics_are_shed_first_then_quality_and_signaling_never(lag: float, methods: set[str]) -> None:
    stage = Stage()
    client = stage.enter("alice")
    stage.plane.admission.note_lag(lag)
    assert shed(client) == methods


def test_what_was_shed_is_not_counted_against_the_client() -> None:
    stage = Stage()
    client = stage.enter("alice")
    stage.plane.admission.note_lag(LIMIT * 3)
    for _ in range(30):
        with pytest.raises(Refusal, match="rate_limited"):
            client.call("networkQuality", rttMs=10)
    assert client.closed is None
    assert stage.plane.admission.refused["stats", "shed"] == 30
    stage.plane.admission.note_lag(0.0)
    client.call("networkQuality", rttMs=10)
