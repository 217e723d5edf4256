"""auth.jwks: key sets from files and from an issuer on loopback, while they change, break and come back."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm
from msgspec.structs import replace

from harness.node import running_node
from harness.settings import node_settings
from harness.web_app import on_loopback
from palaver.errors import SettingsError
from palaver.http import key_sets
from palaver.http.key_sets import KeySets
from palaver.node import SignalingNode
from palaver.protocol.errors import ProtocolError
from palaver.settings import AuthSettings, Settings
from palaver.signaling.keys import Keys

KEYS = {name: Ed25519PrivateKey.generate() for name in ("one", "two")}


def document(*names: str) -> dict[str, Any]:
    return {"keys": [{**OKPAlgorithm.to_jwk(KEYS[n].public_key(), as_dict=True), "kid": n} for n in names]}


def token(name: str, kid: str = "") -> str:
    claims = {"iss": "issuer", "sub": "alice", "exp": time.time() + 60, "video": {"roomJoin": True}}
    return jwt.encode(claims, KEYS[name], "EdDSA", headers={"kid": kid or name})


class Issuer:
    """Publishes keys; `answer` is what the next request gets."""

    def __init__(self) -> None:
        self.url = ""
        self.requests = 0
        self.answer: web.Response | None = None
        self.names: tuple[str, ...] = ("one",)
        self._asked = asyncio.Event()

    async def publish(self, request: web.Request) -> web.Response:
        self.requests += 1
        self._asked.set()
        return self.answer or web.json_response(document(*self.names))

    async def asked(self, times: int) -> None:
        while self.requests < times:
            self._asked.clear()
            await self._asked.wait()


@asynccontextmanager
async def issuer() -> AsyncIterator[Issuer]:
    one = Issuer()
    async with on_loopback(web.get("/jwks", one.publish)) as server:
        one.url = f"{server}/jwks"
        yield one


class Trust:
    def __init__(self) -> None:
        self.names: list[list[str]] = []

    def __call__(self, keys: Keys) -> None:
        self.names.append(sorted(keys))


@asynccontextmanager
async def key_sets_of(*sources: str, seconds: float = 3600.0) -> AsyncIterator[tuple[KeySets, Trust]]:
    trust = Trust()
    sets = KeySets(AuthSettings(jwks=sources, jwks_seconds=seconds), trust)
    try:
        await sets.start()
        yield sets, trust
    finally:
        await sets.close()


async def test_a_node_lets_in_on_a_published_key_and_a_storm_of_kids_asks_the_issuer_nothing() -> None:
    async with issuer() as one, running_node(auth={"jwks": (one.url,)}) as node:
        verify = node.node.plane.verifier.verify
        assert verify(token("one")).identity == "alice"
        for number in range(1000):
            with pytest.raises(ProtocolError):
                verify(token("one", f"storm{number}"))
        assert one.requests == 1


async def test_a_reload_fetches_again() -> None:
    async with issuer() as one:
        settings = node_settings(auth={"jwks": (one.url,)})
        node = SignalingNode(settings, lambda: settings)
        await node.start()
        try:
            one.names = ("two",)
            assert await node.reload()
            assert node.plane.verifier.verify(token("two")).identity == "alice"
            with pytest.raises(ProtocolError):
                node.plane.verifier.verify(token("one"))
        finally:
            await node.close()


async def test_a_reload_without_key_sets_trusts_none() -> None:
    async with issuer() as one:
        settings = node_settings(auth={"jwks": (one.url,)})
        node = SignalingNode(settings, lambda: without_sets(settings))
        await node.start()
        try:
            assert await node.reload()
            with pytest.raises(ProtocolError):
                node.plane.verifier.verify(token("one"))
        finally:
            await node.close()


def without_sets(settings: Settings) -> Settings:
    return replace(settings, auth=replace(settings.auth, jwks=()))


async def test_sets_are_read_again_by_time() -> None:
    async with issuer() as one, key_sets_of(one.url, seconds=0.01) as (_, trust):
        one.names = ("one", "two")
        await one.asked(3)
        assert trust.names[-1] == ["one", "two"]


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 500},
        {"status": 302, "headers": {"Location": "http://127.0.0.1:1/"}},
        {"text": "rubbish"},
        {"body": b" " * (key_sets.MAX_BYTES + 1)},
    ],
    ids=["error", "redirect", "rubbish", "large"],
)
async def test_a_failing_fetch_keeps_the_last_good_set(answer: dict[str, Any]) -> None:
    async with issuer() as one, key_sets_of(one.url) as (sets, trust):
        one.answer = web.Response(**answer)
        await sets.refresh()
        assert (one.requests, trust.names) == (2, [["one"], ["one"]])


async def test_an_issuer_that_is_away_does_not_keep_a_node_from_starting(tmp_path: Path) -> None:
    async with issuer() as one:
        url = one.url
    async with key_sets_of(url) as (_, trust):
        assert trust.names == [[]]


async def test_a_slow_issuer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_sets, "FETCH_SECONDS", 0.05)
    async with await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0) as silent:
        host, port = silent.sockets[0].getsockname()
        async with key_sets_of(f"http://{host}:{port}/jwks") as (_, trust):
            assert trust.names == [[]]


async def test_files_and_urls_add_up_and_a_broken_file_keeps_its_keys(tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps(document("two")))
    async with issuer() as one, key_sets_of(one.url, str(file)) as (sets, trust):
        file.write_text("rubbish")
        await sets.refresh()
        assert trust.names == [["one", "two"], ["one", "two"]]


async def test_a_file_that_cannot_be_used_keeps_the_node_from_starting(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"auth\.jwks"):
        async with key_sets_of(str(tmp_path / "absent.json")):
            pass
