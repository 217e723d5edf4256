"""Which requests are upgraded: every Handshake line of the reliability list that needs no socket."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from palaver.gateway.handshake import (
    MAX_HEADERS,
    Refusal,
    Request,
    Upgrade,
    decide,
    head_is_hopeless,
    parse_request,
)
from palaver.gateway.policy import HandshakePolicy
from unit.gateway.raw_websocket import KEY, request

POLICY = HandshakePolicy("/v1", ["https://app.example"], ["10.0.0.0/8"])


def judge(raw: bytes, policy: HandshakePolicy = POLICY, peer: str = "192.0.2.7") -> Upgrade | Refusal:
    assert raw.endswith(b"\r\n\r\n")
    parsed = parse_request(raw[:-4])
    return decide(parsed, peer, policy) if isinstance(parsed, Request) else parsed


def status(raw: bytes, policy: HandshakePolicy = POLICY) -> int:
    answer = judge(raw, policy)
    return answer.status if isinstance(answer, Refusal) else 101


def test_a_good_request_is_upgraded_with_the_accept_value_of_the_rfc() -> None:
    answer = judge(request())
    assert isinstance(answer, Upgrade)
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in answer.response()
    assert answer.response().endswith(b"\r\n\r\n")


def test_upgrade_and_connection_are_lists_without_case() -> None:
    # Firefox sends "keep-alive, Upgrade".
    assert status(request(replace={"Connection": "keep-alive, Upgrade", "Upgrade": "h2c, WebSocket"})) == 101


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param(request(without=["Sec-WebSocket-Key"]), 400, id="no key"),
        pytest.param(request(replace={"Sec-WebSocket-Key": "dG9vIHNob3J0"}), 400, id="short key"),
        pytest.param(request(replace={"Sec-WebSocket-Key": "!" * 24}), 400, id="key is not base64"),
        pytest.param(request(extra=[("Sec-WebSocket-Key", KEY)]), 400, id="duplicate key"),
        pytest.param(request(without=["Host"]), 400, id="no Host"),
        pytest.param(request(extra=[("Host", "other")]), 400, id="two Hosts"),
        pytest.param(request(replace={"Host": "a b"}), 400, id="Host with a space"),
        pytest.param(request("http://localhost/v1"), 400, id="absolute-form target"),
        pytest.param(request("*"), 400, id="asterisk-form target"),
        pytest.param(request("localhost:80"), 400, id="authority-form target"),
        pytest.param(request("/v1#fragment"), 400, id="target with a fragment"),
        pytest.param(request(without=["Upgrade"]), 426, id="no Upgrade"),
        pytest.param(request(replace={"Upgrade": "h2c"}), 426, id="upgrade to something else"),
        pytest.param(request(without=["Connection"]), 400, id="no Connection"),
        pytest.param(request(replace={"Connection": "keep-alive"}), 400, id="Connection without upgrade"),
        pytest.param(request(method="POST"), 405, id="POST"),
        pytest.param(request(method="HEAD"), 405, id="HEAD"),
        pytest.param(request(version="HTTP/1.0"), 505, id="HTTP/1.0"),
        pytest.param(request(version="HTTP/2.0"), 505, id="HTTP/2.0"),
        pytest.param(request(version="HTTX/1.1"), 400, id="not HTTP"),
        pytest.param(request(extra=[("Content-Length", "5")]), 400, id="a body"),
        pytest.param(
            request(extra=[("Content-Length", "0"), ("Content-Length", "0")]), 400, id="two lengths"
        ),
        pytest.param(request(extra=[("Transfer-Encoding", "chunked")]), 400, id="a chunked body"),
        pytest.param(request(extra=[("X-A", "a\0b")]), 400, id="NUL in a header"),
        pytest.param(request(extra=[("X-A", "a\r\n folded")]), 400, id="folded header"),
        pytest.param(request(extra=[("X-A", "a\nX-B: b")]), 400, id="bare line feed"),
        pytest.param(request(extra=[("X-A", "a\x01"), ("X-B", "b")]), 400, id="control character"),
        pytest.param(request(extra=[("X-A", "\u00e9"), ("X-B", "b")]), 400, id="beyond ASCII"),
        pytest.param(request(extra=[("X A", "a"), ("X-B", "b")]), 400, id="space in a name"),
        pytest.param(request(extra=[("X-A", "a\rb")]), 400, id="bare carriage return"),
        pytest.param(request(extra=[("X-A", "grüße")]), 400, id="non-ASCII header value"),
        pytest.param(request(extra=[("Grüße", "a")]), 400, id="non-ASCII header name"),
        pytest.param(request("/v1?ü"), 400, id="non-ASCII target"),
        pytest.param(request(extra=[("X-A ", "a")]), 400, id="space before the colon"),
        pytest.param(request(extra=[("", "a")]), 400, id="empty header name"),
        pytest.param(request(extra=[("X-A", "a")] * 3000), 431, id="3,000 headers"),
        pytest.param(request("/v2"), 404, id="unknown path"),
        pytest.param(request("/v1/"), 404, id="path with a slash more"),
        pytest.param(request("/V1"), 404, id="path in another case"),
        pytest.param(b"GET  /v1 HTTP/1.1\r\n\r\n", 400, id="two spaces in the request line"),
        pytest.param(b"GET /v1\r\n\r\n", 400, id="HTTP/0.9"),
        pytest.param(b"\r\n\r\n", 400, id="nothing"),
    ],
)
def test_a_request_that_breaks_a_rule_is_refused(raw: bytes, expected: int) -> None:
    assert status(raw) == expected


@pytest.mark.parametrize("version", ["8", "12", "14", "13, 8", "", "013"])
def test_another_version_is_told_which_one_is_spoken(version: str) -> None:
    answer = judge(request(replace={"Sec-WebSocket-Version": version}))
    assert isinstance(answer, Refusal)
    assert answer.status == HTTPStatus.UPGRADE_REQUIRED
    assert b"\r\nSec-WebSocket-Version: 13\r\n" in answer.response()


def test_as_many_headers_as_allowed_are_accepted() -> None:
    good = len(request().split(b"\r\n")) - 3
    assert status(request(extra=[("X-A", "a")] * (MAX_HEADERS - good))) == 101
    assert status(request(extra=[("X-A", "a")] * (MAX_HEADERS - good + 1))) == 431


def test_a_tls_hello_is_not_the_beginning_of_a_request() -> None:
    assert head_is_hopeless(bytes.fromhex("16030102"))
    assert not head_is_hopeless(b"G")


# --- subprotocols and tokens ---


def offer(*protocols: str, target: str = "/v1", token_in_query: bool = False) -> Upgrade | Refusal:
    raw = request(target, extra=[("Sec-WebSocket-Protocol", value) for value in protocols])
    return judge(raw, HandshakePolicy("/v1", token_in_query=token_in_query))


def test_the_subprotocol_is_echoed_when_it_is_offered() -> None:
    answer = offer("chat, palaver.v1")
    assert isinstance(answer, Upgrade)
    assert b"\r\nSec-WebSocket-Protocol: palaver.v1\r\n" in answer.response()


def test_no_subprotocol_is_accepted_and_none_is_echoed() -> None:
    answer = offer()
    assert isinstance(answer, Upgrade)
    assert b"Protocol" not in answer.response().replace(b"101 Switching Protocols", b"")


def test_only_unknown_subprotocols_are_refused() -> None:
    answer = offer("chat", "palaver.v2")
    assert isinstance(answer, Refusal)
    assert answer.status == 400


def test_a_bearer_entry_is_the_token_and_no_subprotocol() -> None:
    answer = offer("palaver.v1, bearer.aaa.bbb.ccc")
    assert isinstance(answer, Upgrade)
    assert answer.bearer == "aaa.bbb.ccc"
    assert b"bearer" not in answer.response()


def test_a_bearer_entry_alone_is_accepted_as_no_subprotocol() -> None:
    answer = offer("bearer.aaa.bbb.ccc")
    assert isinstance(answer, Upgrade)
    assert answer.subprotocol is None
    assert b"bearer" not in answer.response()


def test_two_tokens_are_refused() -> None:
    assert isinstance(offer("bearer.a", "bearer.b"), Refusal)


def test_a_subprotocol_that_is_no_token_is_refused() -> None:
    assert isinstance(offer("palaver.v1, a b"), Refusal)


def test_a_token_in_the_query_counts_only_where_the_operator_allows_it() -> None:
    off, on = offer(target="/v1?token=aaa"), offer(target="/v1?token=aaa", token_in_query=True)
    assert isinstance(off, Upgrade)
    assert isinstance(on, Upgrade)
    assert (off.bearer, on.bearer) == (None, "aaa")


# --- origins and proxies ---


@pytest.mark.parametrize(
    ("origins", "expected"),
    [
        ([], 101),
        (["https://app.example"], 101),
        (["HTTPS://APP.example:443"], 101),
        (["https://app.example:8443"], 403),
        (["http://app.example"], 403),
        (["https://app.example.evil.example"], 403),
        (["https://evilapp.example"], 403),
        (["https://app.example@evil.example"], 403),
        (["https://app.example/"], 403),
        (["null"], 403),
        ([""], 403),
        (["https://app.example", "https://app.example"], 403),
    ],
)
def test_an_origin_must_be_on_the_list_to_the_letter(origins: list[str], expected: int) -> None:
    assert status(request(extra=[("Origin", origin) for origin in origins])) == expected


def test_a_star_allows_every_origin_but_not_two() -> None:
    policy = HandshakePolicy("/v1", ["*"])
    assert status(request(extra=[("Origin", "http://anything")]), policy) == 101
    assert status(request(extra=[("Origin", "http://a"), ("Origin", "http://b")]), policy) == 403


def forwarded(peer: str, *values: str) -> str:
    answer = judge(request(extra=[("X-Forwarded-For", value) for value in values]), peer=peer)
    assert isinstance(answer, Upgrade)
    return answer.address


def test_a_stranger_cannot_choose_its_address() -> None:
    assert forwarded("192.0.2.7", "1.2.3.4") == "192.0.2.7"


def test_a_trusted_proxy_names_the_client() -> None:
    assert forwarded("10.0.0.1", "203.0.113.9") == "203.0.113.9"


def test_what_the_client_wrote_before_the_proxy_is_not_believed() -> None:
    assert forwarded("10.0.0.1", "1.2.3.4, 203.0.113.9", "10.0.0.2") == "203.0.113.9"


def test_an_unreadable_hop_ends_the_walk() -> None:
    assert forwarded("10.0.0.1", "203.0.113.9, unknown") == "10.0.0.1"
