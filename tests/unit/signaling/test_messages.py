"""The Messages group: what is not a good request is refused, the connection stays, nothing changes (protocol § 1 and § 3)."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from harness.plane import SDP, Client, Refusal, Stage
from harness.settings import node_settings
from harness.slow_media import SlowMedia


@pytest.fixture
def stage() -> Stage:
    return Stage()


def send(client: Client, text: str | bytes) -> Any:
    """Sends raw text and returns the last reply."""
    before = len(client.raw)
    client.receive(text.encode() if isinstance(text, str) else text)
    assert len(client.raw) > before, "every refused message with or without an id is answered"
    return json.loads(client.raw[-1])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "nonsense",
        '{"jsonrpc":"2.0","id":1,"method":"heartbeat"}x',
        "\ufeff{}",
        '{"a":NaN}',
        "[" * 100_000,
    ],
)
def test_what_is_not_json_is_a_parse_error(stage: Stage, text: str) -> None:
    reply = send(stage.enter("alice"), text)
    assert reply["id"] is None
    assert reply["error"]["code"] == -32700


@pytest.mark.parametrize(
    ("text", "id"),
    [
        ("null", None),
        ("3", None),
        ("{}", None),
        ('{"id":1,"method":"heartbeat"}', 1),
        ('{"jsonrpc":"1.0","id":1,"method":"heartbeat"}', 1),
        ('{"jsonrpc":"2.0","id":"x","method":5}', "x"),
        ('{"jsonrpc":"2.0","id":1}', 1),
        ('{"jsonrpc":"2.0","id":-1,"method":"heartbeat"}', None),
        ('{"jsonrpc":"2.0","id":1.5,"method":"heartbeat"}', None),
        ('{"jsonrpc":"2.0","id":{},"method":"heartbeat"}', None),
        ('{"jsonrpc":"2.0","id":"' + "x" * 65 + '","method":"heartbeat"}', None),
        ("[]", None),
        ("[" + ",".join(["1"] * 33) + "]", None),
    ],
)
def test_what_is_not_a_request_is_invalid(stage: Stage, text: str, id: int | str | None) -> None:
    reply = send(stage.enter("alice"), text)
    assert reply["id"] == id
    assert reply["error"]["code"] == -32600


@pytest.mark.parametrize(
    ("params", "path"),
    [
        ("{}", "$"),
        ('{"t":"x"}', "$.t"),
        ('{"t":1,"rttMs":-1}', "$.rttMs"),
        ('{"t":1,"seqSeen":' + "9" * 4000 + "}", "$.seqSeen"),
        ('{"t":1e400}', "$.t"),
        ("[1]", "$"),
        ('{"t":1,"deep":' + "[" * 40 + "]" * 40 + "}", "$"),
    ],
)
def test_bad_params_are_named_by_their_path(stage: Stage, params: str, path: str) -> None:
    client = stage.enter("alice")
    reply = send(client, '{"jsonrpc":"2.0","id":9,"method":"heartbeat","params":' + params + "}")
    assert reply["id"] == 9
    assert reply["error"]["code"] == -32602
    assert reply["error"]["data"]["path"] == path
    assert client.call("heartbeat", t=1)["t"] == 1


def test_unknown_fields_are_ignored_and_unknown_methods_refused(stage: Stage) -> None:
    client = stage.enter("alice")
    assert client.call("heartbeat", t=1, later="addition", __proto__={"x": 1})["t"] == 1
    with pytest.raises(Refusal, match="method_not_found") as refused:
        client.call("selfDestruct")
    assert refused.value.code == -32601


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("../../etc/passwd", True),
        ("\N{PILE OF POO}", True),
        ("<b>x</b>", True),
        ("__proto__", True),
        ("é", True),
        ("e\N{COMBINING ACUTE ACCENT}", False),
        ("", False),
        ("x" * 129, False),
        ("x" * 10_000, False),
        ("a\nb", False),
        ("a\n", False),
        ("a\0b", False),
        ("a\x85b", False),
        ("a\u2028b", False),
    ],
)
def test_room_names(stage: Stage, name: str, good: bool) -> None:
    client = stage.connect(bearer=stage.token("alice"))
    if good:
        assert client.join(name)["room"]["id"] == name
        return
    with pytest.raises(Refusal, match="invalid_params") as refused:
        client.call("join", room=name)
    assert refused.value.data["path"] == "$.room"
    assert stage.plane.sessions.rooms == {}


def test_a_lone_surrogate_is_refused(stage: Stage) -> None:
    client = stage.connect(bearer=stage.token("alice"))
    reply = send(client, r'{"jsonrpc":"2.0","id":1,"method":"join","params":{"room":"\ud800"}}')
    assert reply["error"]["data"]["reason"] in ("invalid_params", "parse_error")


def test_a_notification_is_never_answered(stage: Stage) -> None:
    client = stage.enter("alice")
    before = len(client.raw)
    client.receive(b'{"jsonrpc":"2.0","method":"heartbeat","params":{"t":1}}')
    client.receive(b'{"jsonrpc":"2.0","method":"nonsense"}')
    assert len(client.raw) == before


def test_not_even_a_notification_that_nests_too_deep_is_answered(stage: Stage) -> None:
    client = stage.enter("alice")
    client.raw.clear()
    deep = "[" * 40 + "]" * 40
    client.receive(b'{"jsonrpc":"2.0","method":"heartbeat","params":{"t":1,"deep":%b}}' % deep.encode())
    assert client.raw == []
    assert client.call("heartbeat", t=1)["t"] == 1


def test_a_batch_gets_one_batch_of_replies_without_the_notifications(stage: Stage) -> None:
    client = stage.enter("alice")
    beat = {"jsonrpc": "2.0", "method": "heartbeat", "params": {"t": 1}}
    client.receive(json.dumps([{**beat, "id": 1}, beat, {**beat, "id": "two"}, 7]).encode())
    replies = json.loads(client.raw[-1])
    assert [reply["id"] for reply in replies] == [1, "two", None]
    before = len(client.raw)
    client.receive(json.dumps([beat, beat]).encode())
    assert len(client.raw) == before


def test_the_events_of_a_batch_follow_its_replies(stage: Stage) -> None:
    alice = stage.enter("alice")
    client = stage.connect(bearer=stage.token("bob"))
    join = {"jsonrpc": "2.0", "id": 1, "method": "join", "params": {"room": "room"}}
    mute = {"jsonrpc": "2.0", "id": 2, "method": "closeProducer", "params": {"id": "mic"}}
    alice.call("createProducer", id="mic", transport="t", kind="audio", source="microphone")
    client.receive(json.dumps([join, mute]).encode())
    assert [reply["id"] for reply in json.loads(client.raw[0])] == [1, 2]


@pytest.mark.parametrize("in_batch", [False, True])
def test_the_reply_of_a_kick_comes_before_its_events(stage: Stage, in_batch: bool) -> None:
    owner, bob = stage.enter("olivia", role="owner"), stage.enter("bob")
    bob.call("createProducer", id="mic", transport="t", kind="audio", source="microphone")
    owner.raw.clear(), bob.raw.clear()
    kick = {"jsonrpc": "2.0", "id": 1, "method": "kickUser", "params": {"peer": bob.peer}}
    beat = {"jsonrpc": "2.0", "id": 2, "method": "heartbeat", "params": {"t": 1, "seqSeen": owner.seq}}
    owner.receive(json.dumps([kick, beat] if in_batch else kick).encode())
    first, *told = [json.loads(each) for each in owner.raw]
    assert [each["id"] for each in (first if in_batch else [first])] == ([1, 2] if in_batch else [1])
    assert [each["method"] for each in told] == ["producerClosed", "peerLeft"]
    assert [json.loads(each)["method"] for each in bob.raw] == ["youKicked"]


def test_events_of_others_wait_for_a_batch_that_the_media_node_works_on() -> None:
    stage = Stage(node_settings(), media={"slow": SlowMedia()})
    alice, bob = stage.enter("alice"), stage.enter("bob")
    for generation in range(3):
        bob.call("sdpOffer", transport="p", direction="p2p", to=alice.peer, generation=generation, sdp=SDP)
    alice.raw.clear()
    offer = {"transport": "t", "direction": "send", "sdp": "v=0\r\n", "generation": 1}
    alice.receive(json.dumps([{"jsonrpc": "2.0", "id": 1, "method": "sdpOffer", "params": offer}]).encode())
    stage.enter("carol")
    assert alice.raw == []
    (work,) = stage.spawned
    work.send(None)
    with pytest.raises(StopIteration):
        work.send(None)
    reply, joined = [json.loads(each) for each in alice.raw]
    assert reply[0]["id"] == 1
    assert joined["method"] == "peerJoined"


def test_a_reused_request_id_is_answered_again(stage: Stage) -> None:
    client = stage.enter("alice")
    for _ in range(2):
        assert send(client, '{"jsonrpc":"2.0","id":1,"method":"heartbeat","params":{"t":1}}')["id"] == 1


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("id", [2**63, 2**64 - 1])
def test_an_id_of_64_bits_is_as_good_as_any(stage: Stage, id: int, binary: bool) -> None:
    client = stage.enter("alice", binary=binary)
    codec = msgspec.msgpack if binary else msgspec.json
    beat = {"jsonrpc": "2.0", "id": id, "method": "heartbeat", "params": {"t": 1}}
    client.receive(codec.encode(beat))
    assert client.replies.pop(id)["result"]["t"] == 1
    client.receive(codec.encode([beat, {**beat, "id": 1, "params": {"t": "x"}}]))
    assert client.replies.pop(id)["result"]["t"] == 1
    client.receive(codec.encode({**beat, "jsonrpc": "1.0"}))
    assert client.replies[id]["error"]["code"] == -32600


def test_what_came_behind_the_message_that_closes_is_not_looked_at(stage: Stage) -> None:
    client = stage.enter("alice")
    client.receive(*[b'{"jsonrpc":"2.0","id":7,"method":"nothing","params":{}}'] * 30)
    assert client.closed is not None and client.closed[0] == 4505
    assert sum(stage.plane.messages.errors.values()) == 10


def test_ten_errors_in_ten_seconds_close_with_4505(stage: Stage) -> None:
    client = stage.enter("alice")
    for number in range(9):
        send(client, "{")
        stage.advance(1.0 if number < 8 else 0.0)
    assert client.closed is None
    send(client, "{")
    assert client.closed is not None
    assert client.closed[0] == 4505
    patient = stage.enter("bob")
    for _ in range(20):
        send(patient, "{")
        stage.advance(1.2)
    assert patient.closed is None


def test_an_sdp_over_the_limit_is_too_large(stage: Stage) -> None:
    alice, bob = stage.enter("alice"), stage.enter("bob")
    sdp = "v=0\r\n" + "a=x\r\n" * 41_000
    with pytest.raises(Refusal, match="too_large"):
        alice.call("sdpOffer", transport="t", direction="p2p", to=bob.peer, sdp=sdp, generation=1)
    with pytest.raises(Refusal, match="invalid_params"):
        alice.call("iceCandidate", transport="t", generation=1, candidates=["candidate:x"] * 33)


def test_too_many_requests_are_told_when_to_come_again() -> None:
    stage = Stage(node_settings(limits={"request_burst": 3, "requests_per_second": 10}))
    client = stage.enter("alice")  # the first request
    client.call("heartbeat", t=1)
    client.call("heartbeat", t=1)
    with pytest.raises(Refusal, match="rate_limited") as refused:
        client.call("heartbeat", t=1)
    assert refused.value.data["afterMs"] == 100
    assert refused.value.data["retry"] == "same"
    stage.advance(0.1)
    client.call("heartbeat", t=1)


def test_a_bug_in_a_handler_is_internal_with_a_reference(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client = stage.enter("alice")

    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setitem(stage.plane.router._verbs, "heartbeat", broken)
    with pytest.raises(Refusal, match="internal") as refused:
        client.call("heartbeat", t=1)
    assert refused.value.data["ref"] == caplog.records[-1].ref  # type: ignore[attr-defined]
    assert client.call("roomInfo")["counts"]["peers"] == 1


def test_binary_garbage_is_refused(stage: Stage) -> None:
    client = stage.enter("alice", binary=True)
    for garbage in (b"", b"\xc1", b"\xff\xff", b"\x81" * 5000, b"\x90"):
        before = len(client.raw)
        client.receive(garbage)
        reply = msgspec.msgpack.decode(client.raw[before])
        assert reply["error"]["code"] in (-32700, -32600)
        client._stage.advance(5)
