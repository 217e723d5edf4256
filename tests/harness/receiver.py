"""A receiver of webhooks: a real HTTP server that verifies what it gets, and answers as it is told."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
from aiohttp import web

from harness.settings import KEY_ID, SECRET
from harness.web_app import on_loopback


class Receiver:
    def __init__(self) -> None:
        self.url = ""
        self.status = 200
        """What it answers; below 0: nothing."""
        self.taken: list[dict[str, Any]] = []
        """The events that it answered with 2xx."""
        self.refused: list[dict[str, Any]] = []
        self._changed = asyncio.Event()

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        claims = jwt.decode(request.headers["Authorization"], SECRET, algorithms=["HS256"], issuer=KEY_ID)
        assert base64.b64decode(claims["sha256"]) == hashlib.sha256(body).digest()
        assert request.content_type == "application/webhook+json"
        (self.taken if self.status == 200 else self.refused).append(json.loads(body))
        self._changed.set()
        if self.status < 0:
            await asyncio.Event().wait()
        return web.Response(status=self.status, headers={"Location": "/elsewhere"})

    async def until(self, *, taken: int = 0, refused: int = 0) -> list[dict[str, Any]]:
        """Waits for so many, and returns those that it took."""
        async with asyncio.timeout(10):
            while len(self.taken) < taken or len(self.refused) < refused:
                self._changed.clear()
                await self._changed.wait()
        return self.taken


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """Listens while the block runs."""
    one = Receiver()
    async with on_loopback(web.post("/hook", one.take)) as server:
        one.url = f"{server}/hook"
        yield one
