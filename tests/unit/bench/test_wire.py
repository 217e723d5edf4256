"""Plans say in the words of the protocol what a scenario means."""

from __future__ import annotations

import json
import re
from types import EllipsisType

import pytest

from palaver.bench.plan import WORD, Message, Plan
from palaver.bench.scenario import adjusted, parse, preset
from palaver.bench.sdp import LINES, candidate, offer
from palaver.bench.target import TargetError, target_of
from palaver.bench.wire import JOIN_TOKENS, PER_SOURCE, Target, plan_of
from palaver.signaling.tokens import CACHED_TOKENS

TARGET = Target("127.0.0.1", 7880, "localhost:7880", "/v1")


def plan(text: str) -> Plan:
    return plan_of(parse(text, "test"), TARGET, lambda who, room, role: f"{who} {room} {role}", "run")


def filled(message: Message, number: int) -> dict[str, object]:
    """The message as it is sent, where client n has captured the peer id `p<n>`."""

    def text(part: bytes | int | str | EllipsisType) -> bytes:
        if isinstance(part, bytes):
            return part
        if part == WORD:
            return b"WORD"
        return b"%d" % number if part is ... else b"p%d" % part

    found: dict[str, object] = json.loads(b"".join(map(text, message.parts)))
    return found


def test_an_offer_has_a_fresh_generation_and_the_other_peers_id() -> None:
    made = plan('[[stage]]\nkind = "relay"\npairs = 2\n')
    assert filled(made.flows[1].messages[0], 41) == {
        "jsonrpc": "2.0",
        "method": "sdpOffer",
        "params": {"transport": "t", "direction": "p2p", "to": "p3", "sdp": offer(2048), "generation": 41},
    }
    assert [(flow.sender, flow.receivers, flow.reply) for flow in made.flows] == [
        (0, (1,), None),
        (2, (3,), None),
    ]


def test_a_request_has_an_id_of_its_own() -> None:
    made = plan('[[stage]]\nkind = "relay"\npairs = 1\nreplies = true\n')
    assert filled(made.flows[0].messages[0], 7)["id"] == 7
    assert made.flows[0].reply is not None


def test_two_join_a_room_of_their_own_and_the_first_moderates() -> None:
    made = plan('[[stage]]\nkind = "relay"\npairs = 2\n')
    said = [filled(client.opening[0].send, 0) for client in made.clients if client.opening[0].send]
    assert [each["params"]["token"] for each in said] == ["WORD"] * 4  # type: ignore[index]
    assert [client.words for client in made.clients] == [
        (b"run-0 run-1 moderator",),
        (b"run-1 run-1 participant",),
        (b"run-2 run-2 moderator",),
        (b"run-3 run-2 participant",),
    ]


def test_each_join_of_a_client_that_comes_and_goes_has_a_token_of_its_own() -> None:
    made = plan('[[stage]]\nkind = "joins"\nclients = 64\n')
    tokens = [word for client in made.clients for word in client.words]
    assert len(set(tokens)) == len(tokens) >= JOIN_TOKENS >= 2 * CACHED_TOKENS
    assert made.clients[1].words[2] == b"run-1.2 run-2 moderator"


def test_at_a_rate_there_are_tokens_for_as_many_as_come() -> None:
    made = plan('seconds = 4\nwarm-up = 1\n[[stage]]\nkind = "joins"\nclients = 10\nrate = 20\n')
    assert [len(client.words) for client in made.clients] == [21] * 10


def test_an_event_has_the_size_that_was_asked_for() -> None:
    made = plan('[[stage]]\nkind = "fanout"\nroom-size = 3\nbytes = 2000\n')
    message = filled(made.flows[0].messages[0], 1234567890)["params"]["message"]  # type: ignore[index]
    assert message.startswith("1234567890") and len(message.encode()) == 2000
    assert made.flows[0].receivers == (1, 2)


def test_clients_beyond_the_ports_of_one_address_come_from_another() -> None:
    made = plan(f'[[stage]]\nkind = "idle"\nmessages = 0\nsessions = {PER_SOURCE + 2}\n')
    assert [made.clients[index].source for index in (0, PER_SOURCE - 1, PER_SOURCE)] == [
        None,
        None,
        "127.0.0.2",
    ]


def test_sessions_that_go_silent_say_before_what_they_have_seen() -> None:
    made = plan('[[stage]]\nkind = "idle"\nsessions = 2\n')
    assert made.numbered == b'"seq":'
    epilogue = made.flows[0].epilogue
    assert epilogue is not None
    said = b"".join(
        b"7" if part is None else part for part in epilogue.parts if part is None or isinstance(part, bytes)
    )
    assert json.loads(said) == {"jsonrpc": "2.0", "method": "heartbeat", "params": {"t": 0, "seqSeen": 7}}
    assert plan('[[stage]]\nkind = "relay"\n').numbered is None
    silent = plan('[[stage]]\nkind = "idle"\nsessions = 2\nseen = false\n')
    assert (silent.numbered, silent.flows[0].epilogue) == (None, None)


def test_a_storm_connects_all_at_once_and_measures_nothing_afterwards() -> None:
    made = plan_of(adjusted(preset("storm"), "storm", sessions=30), TARGET, lambda *_: "", "run")
    assert (made.connecting, made.timing.measure, len(made.clients)) == (30, 0.0, 30)


@pytest.mark.parametrize("size", [512, 1000, 2048, 2500, 10_000])
def test_an_offer_is_sdp_of_exactly_that_size(size: int) -> None:
    sdp = offer(size)
    assert all(re.fullmatch(r"[a-z]=[^\r\n]+", line) for line in sdp.split("\r\n")[:-1]), "RFC 8866 § 5"
    assert len(sdp) == size
    assert sdp.count("\r\n") == LINES or size < 2048


def test_a_candidate_has_exactly_that_size() -> None:
    assert [len(candidate(size)) for size in (32, 135, 200)] == [32, 135, 200]


@pytest.mark.parametrize("url", ["http://x", "ws://", "x", "ws://x:99999", "ws://127.0.0.1:nine"])
def test_what_is_no_url_of_a_node_is_refused(url: str) -> None:
    with pytest.raises(TargetError):
        target_of(url)


def test_a_url_has_its_default_port_and_path() -> None:
    assert target_of("ws://127.0.0.1") == Target("127.0.0.1", 80, "127.0.0.1", "/")
    assert target_of("ws://localhost:7880/v1?x=1").path == "/v1?x=1"
