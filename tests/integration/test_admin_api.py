"""The admin API of a real node, over loopback."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from harness.guest import guest
from harness.node import RunningNode, running_node
from palaver.http.admin_web import BODY_BYTES

TOKEN = "an admin token for tests, of more than 32 bytes".replace(" ", "-")
Reply = tuple[int, Any]


class Operator:
    """Calls the API with the token."""

    def __init__(self, node: RunningNode, session: aiohttp.ClientSession) -> None:
        self.node = node
        self.session = session

    async def __call__(self, method: str, path: str, json: Any = None, **options: Any) -> Reply:
        async with self.session.request(method, self.node.http + path, json=json, **options) as answer:
            assert answer.content_type == "application/json"
            return answer.status, await answer.json()


@asynccontextmanager
async def operated(**parts: Any) -> AsyncIterator[Operator]:
    async with (
        running_node(http={"admin_token": TOKEN}, **parts) as node,
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session,
    ):
        yield Operator(node, session)


@pytest.fixture
async def operator() -> AsyncIterator[Operator]:
    async with operated() as one:
        yield one


def reason(reply: Reply) -> tuple[int, str]:
    return reply[0], reply[1]["error"]["data"]["reason"]


async def test_without_a_token_in_the_settings_there_is_no_admin_api() -> None:
    async with running_node() as node, aiohttp.ClientSession() as session:
        for header in ("", "Bearer ", "Bearer x"):
            async with session.get(node.http + "/v1/rooms", headers={"Authorization": header}) as answer:
                assert answer.status == 404


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (None, "unauthenticated"),
        ("", "unauthenticated"),
        ("Bearer", "unauthenticated"),
        (f"Basic {TOKEN}", "unauthenticated"),
        ("Bearer nonsense", "token_invalid"),
        (f"Bearer {TOKEN[:-1]}", "token_invalid"),
        (f"Bearer {TOKEN}x", "token_invalid"),
        ("Bearer é\udcff", "token_invalid"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/rooms", "/v1/openapi.json", "/v1/nothing"])
async def test_nobody_gets_in_without_the_token(
    operator: Operator, header: str | None, why: str, path: str
) -> None:
    raw = b"" if header is None else b"Authorization: " + header.encode("utf-8", "surrogateescape") + b"\r\n"
    reader, writer = await asyncio.open_connection(*operator.node.node.http_address)
    writer.write(b"GET " + path.encode() + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + raw + b"\r\n")
    reply = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    assert reply.startswith(b"HTTP/1.1 401 "), reply
    assert why.encode() in reply
    assert b"WWW-Authenticate: Bearer" in reply


async def test_rooms_participants_and_sessions_are_shown(operator: Operator) -> None:
    node = operator.node
    async with (
        guest(node, "alice", "a", name="Alice") as alice,
        guest(node, "bob", "a"),
        guest(node, "carol", "b"),
    ):
        await alice.call("createProducer", id="mic", transport="t", kind="audio", source="microphone")
        status, listed = await operator("GET", "/v1/rooms")
        assert status == 200
        assert [(each["id"], each["participants"], each["producers"]) for each in listed["rooms"]] == [
            ("a", 2, 1),
            ("b", 1, 0),
        ]
        assert (await operator("GET", "/v1/rooms/a")) == (200, listed["rooms"][0])
        _, people = await operator("GET", "/v1/rooms/a/participants")
        shown = {each["identity"]: each for each in people["participants"]}
        assert shown["alice"]["peer"] == alice.peer
        assert shown["alice"]["name"] == "Alice"
        assert [each["id"] for each in shown["alice"]["producers"]] == ["mic"]
        _, sessions = await operator("GET", "/v1/sessions")
        assert {(each["identity"], each["room"], each["state"]) for each in sessions["sessions"]} == {
            ("alice", "a", "joined"),
            ("bob", "a", "joined"),
            ("carol", "b", "joined"),
        }
        assert "ticket" not in str(sessions)


async def test_pages_follow_one_another(operator: Operator) -> None:
    node = operator.node
    async with guest(node, "x", "a"), guest(node, "x", "b"), guest(node, "x", "c/d?é"):
        _, first = await operator("GET", "/v1/rooms?limit=2")
        assert [each["id"] for each in first["rooms"]] == ["a", "b"]
        _, rest = await operator("GET", f"/v1/rooms?limit=2&cursor={first['cursor']}")
        assert [each["id"] for each in rest["rooms"]] == ["c/d?é"]
        assert "cursor" not in rest
        status, room = await operator("GET", "/v1/rooms/" + quote("c/d?é", safe=""))
        assert (status, room["id"]) == (200, "c/d?é")


async def test_what_is_not_there_is_said_in_the_words_of_the_wire(operator: Operator) -> None:
    for method, path in [
        ("GET", "/v1/rooms/none"),
        ("GET", "/v1/rooms/none/participants"),
        ("DELETE", "/v1/rooms/none"),
        ("DELETE", "/v1/bans/none"),
        ("POST", "/v1/rooms/none/unlock"),
        ("GET", "/v1/nothing"),
    ]:
        status, reply = await operator(method, path)
        assert status == 404
        assert reply["error"]["code"] == -32007
        assert reply["error"]["data"]["retry"] == "never"
    assert reason(await operator("PUT", "/v1/rooms")) == (405, "method_not_found")


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        ("/v1/bans", {"identity": "a", "rom": "b"}, "$"),
        ("/v1/bans", {"identity": 5}, "$.identity"),
        ("/v1/bans", {"identity": "x" * 129}, "$.identity"),
        ("/v1/bans", {"identity": "e\u0301"}, "$.identity"),
        ("/v1/bans", {"identity": "a", "ttlS": 0}, "$.ttlS"),
        ("/v1/bans", [], "$"),
        ("/v1/rooms/a/lock", {"mode": "open"}, "$.mode"),
        ("/v1/rooms/a/kick", {"identity": "a", "ban": {"scope": "room", "ttl": 5}}, "$.ban"),
        ("/v1/drain", {"deadlineS": -1}, "$.deadlineS"),
    ],
)
async def test_bodies_are_strict(operator: Operator, path: str, body: Any, where: str) -> None:
    status, reply = await operator("POST", path, body)
    assert status == 400
    assert reply["error"]["data"]["reason"] == "invalid_params"
    assert reply["error"]["data"]["path"] == where


async def test_what_is_no_good_request_changes_nothing(operator: Operator) -> None:
    for query in ("limit=0", "limit=1001", "limit=x", "limit=1&limit=2", "page=2"):
        assert reason(await operator("GET", f"/v1/rooms?{query}")) == (400, "invalid_params")
    large = b'{"identity":"' + b"x" * BODY_BYTES + b'"}'
    as_json = {"Content-Type": "application/json"}
    for data, headers, expected in [
        (large, as_json, (413, "too_large")),
        (b'{"identity":"a"', as_json, (400, "invalid_params")),
        (b"\xff", as_json, (400, "invalid_params")),
        (b"", as_json, (400, "invalid_params")),
        (b"null", as_json, (400, "invalid_params")),
        (b"[" * 10_000, as_json, (400, "invalid_params")),
        (b'{"identity":"a"}', {"Content-Type": "text/plain"}, (415, "codec_unsupported")),
    ]:
        assert reason(await operator("POST", "/v1/bans", data=data, headers=headers)) == expected
    assert await operator("GET", "/v1/bans") == (200, {"bans": []})


async def test_lock_and_unlock_are_told_to_the_room(operator: Operator) -> None:
    async with guest(operator.node, "alice") as alice:
        status, locked = await operator("POST", "/v1/rooms/room/lock", {"mode": "closed", "message": "full"})
        assert (status, locked["changed"]) == (200, True)
        assert (await operator("POST", "/v1/rooms/room/lock", {"mode": "closed", "message": "full"}))[1] == {
            "version": locked["version"],
            "changed": False,
        }
        with pytest.raises(KeyError):
            async with guest(operator.node, "bob"):
                pass
        assert reason(await operator("POST", "/v1/rooms/room/unlock", {"ifVersion": 1})) == (409, "conflict")
        assert (await operator("POST", "/v1/rooms/room/unlock"))[1]["changed"] is True
        await alice.call("heartbeat", t=1)
        assert [(each["method"], each["params"]["by"]) for each in alice.events] == [
            ("roomLocked", "operator"),
            ("roomUnlocked", "operator"),
        ]


async def test_the_operator_kicks_even_owners(operator: Operator) -> None:
    async with guest(operator.node, "olivia", role="owner") as owner, guest(operator.node, "bob") as bob:
        body = {"identity": "olivia", "reason": "enough"}
        assert await operator("POST", "/v1/rooms/room/kick", body) == (
            200,
            {"kicked": True, "converged": True},
        )
        assert await owner.closed() == 4502
        assert owner.events[-1]["params"]["reason"] == "enough"
        await bob.call("heartbeat", t=1)
        left = bob.events[-1]
        assert (left["method"], left["params"]["reason"], left["params"]["by"]) == (
            "peerLeft",
            "kicked",
            "operator",
        )
    assert reason(await operator("POST", "/v1/rooms/room/kick", body)) == (404, "not_found")


async def test_a_ban_ends_stays_everywhere_and_can_be_lifted(operator: Operator) -> None:
    node = operator.node
    async with guest(node, "mallory", "a") as one, guest(node, "mallory", "b") as two:
        status, made = await operator("POST", "/v1/bans", {"identity": "mallory", "reason": "spam"})
        assert (status, made["ended"]) == (201, 2)
        assert [await one.closed(), await two.closed()] == [4503, 4503]
    with pytest.raises(KeyError):
        async with guest(node, "mallory", "c"):
            pass
    assert (await operator("GET", "/v1/bans"))[1]["bans"] == [made["ban"]]
    assert await operator("DELETE", f"/v1/bans/{made['ban']['id']}") == (200, {"lifted": made["ban"]["id"]})
    assert reason(await operator("DELETE", f"/v1/bans/{made['ban']['id']}")) == (404, "not_found")
    async with guest(node, "mallory", "c"):
        pass


async def test_a_lifted_ban_stays_lifted_after_a_restart(tmp_path: Path) -> None:
    async with operated(state_dir=str(tmp_path)) as operator:
        _, kept = await operator("POST", "/v1/bans", {"identity": "kept", "room": "a", "ttlS": 3600})
        _, lifted = await operator("POST", "/v1/bans", {"identity": "lifted"})
        await operator("DELETE", f"/v1/bans/{lifted['ban']['id']}")
    async with operated(state_dir=str(tmp_path)) as operator:
        assert (await operator("GET", "/v1/bans"))[1]["bans"] == [kept["ban"]]


async def test_a_ban_that_cannot_be_kept_is_503_and_does_not_hold(tmp_path: Path) -> None:
    async with operated(state_dir=str(tmp_path)) as operator, guest(operator.node, "bob") as bob:
        with sqlite3.connect(tmp_path / "rulings.sqlite") as other:
            other.execute("DROP TABLE rulings")
        assert reason(await operator("POST", "/v1/bans", {"identity": "bob"})) == (503, "unavailable")
        await bob.call("heartbeat", t=1)


async def test_a_closed_room_sends_everybody_out(operator: Operator) -> None:
    async with guest(operator.node, "alice") as alice, guest(operator.node, "bob") as bob:
        assert await operator("DELETE", "/v1/rooms/room?reason=over") == (200, {"closed": 2})
        assert [await alice.closed(), await bob.closed()] == [4506, 4506]
        assert [each["method"] for each in alice.events] == ["peerJoined"]
        assert await operator("GET", "/v1/rooms") == (200, {"rooms": []})
        assert await operator("GET", "/v1/sessions") == (200, {"sessions": []})


async def test_drain_and_undrain(operator: Operator) -> None:
    async with guest(operator.node, "alice") as alice:
        status, state = await operator("POST", "/v1/drain", {"deadlineS": 0})
        assert (status, state) == (200, {"draining": True, "sessions": 1})
        assert await alice.closed() == 4001
    async with operator.session.get(operator.node.http + "/readyz") as answer:
        assert answer.status == 503
    with pytest.raises(aiohttp.WSServerHandshakeError, match="503"):
        async with guest(operator.node, "alice"):
            pass
    assert (await operator("POST", "/v1/undrain"))[1]["draining"] is False
    async with operator.session.get(operator.node.http + "/readyz") as answer:
        assert answer.status == 200
    async with guest(operator.node, "alice"):
        pass


async def test_the_document_names_every_operation(operator: Operator) -> None:
    _, document = await operator("GET", "/v1/openapi.json")
    assert document["openapi"] == "3.1.0"
    assert len([1 for path in document["paths"].values() for _ in path]) >= 14
    assert "\\\\Z" not in str(document)
