"""The operator of a node process: its admin API and its readiness."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from harness.process import NodeProcess

ADMIN_TOKEN = "an-admin-token-for-tests-of-more-than-32-bytes"
ADMIN_SETTINGS = f"[http]\nadmin_token = '{ADMIN_TOKEN}'\n"


class Operator:
    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.http = http

    async def ban(self, identity: str) -> tuple[int, str]:
        """The status, and the reason of a refusal."""
        async with self.http.post("/v1/bans", json={"identity": identity}) as answer:
            body = await answer.json()
            return answer.status, body["error"]["data"]["reason"] if "error" in body else ""

    async def banned(self) -> set[str]:
        """The identities, of all pages."""
        found: set[str] = set()
        query: dict[str, str] = {}
        while True:
            async with self.http.get("/v1/bans", params=query) as answer:
                body: dict[str, Any] = await answer.json()
            found |= {each["identity"] for each in body["bans"]}
            if body.get("cursor") is None:
                return found
            query = {"cursor": body["cursor"]}

    async def readiness(self) -> tuple[int, str]:
        async with self.http.get("/readyz") as answer:
            return answer.status, await answer.text()


@asynccontextmanager
async def operator_of(node: NodeProcess) -> AsyncIterator[Operator]:
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    async with aiohttp.ClientSession(node.http, headers=headers) as http:
        yield Operator(http)
