"""Debian's Chromium with the demo page: a browser with a made-up camera, and a participant who uses the page.

The page's own security policy stays in force, so nothing here is evaluated inside the page by string
(`wait_for_function` would be refused): what is waited for is a promise that the page keeps, or a locator.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
from collections.abc import AsyncIterator, Iterable
from typing import Any, cast
from urllib.parse import urlencode

from playwright.async_api import Browser, JSHandle, Locator, Page, WebSocketRoute, async_playwright, expect

DEADLINE = 20.0
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    # Both ends are on this machine and on 127.0.0.1 only.
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
)

# A small picture: the embedded media node encodes each one anew for everybody, and the machine may be slow.
SMALL_CAMERA = """{
    const ask = navigator.mediaDevices?.getUserMedia.bind(navigator.mediaDevices);
    if (ask) navigator.mediaDevices.getUserMedia = (what) => ask(
        what.video ? { ...what, video: { width: 320, height: 180, frameRate: 10 } } : what);
}"""

_TILE = "document.querySelector(`.tile[data-identity=${CSS.escape(identity)}] video`)"
# Resolves once the picture differs from the first one, both drawn to a canvas.
_MOVES = f"""async (identity) => {{
    const video = {_TILE};
    const context = new OffscreenCanvas(64, 36).getContext("2d", {{ willReadFrequently: true }});
    const frame = () => new Promise((done) => video.requestVideoFrameCallback(done));
    const picture = () => (context.drawImage(video, 0, 0, 64, 36), context.getImageData(0, 0, 64, 36).data);
    await frame();
    const [first, since] = [picture(), video.currentTime];
    for (;;) {{
        await frame();
        const changed = picture().reduce((sum, value, n) => sum + (Math.abs(value - first[n]) > 32), 0);
        if (changed > 50 && video.currentTime > since) return [video.videoWidth, video.videoHeight];
    }}
}}"""
# Resolves once the sound of the track is louder than silence.
_HEARS = f"""async (identity) => {{
    const context = new AudioContext();
    await context.resume();
    const analyser = context.createAnalyser();
    context.createMediaStreamSource({_TILE}.srcObject).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    while (!samples.some((value) => Math.abs(value) > 0.01)) {{
        await new Promise((done) => requestAnimationFrame(done));
        analyser.getFloatTimeDomainData(samples);
    }}
    await context.close();
}}"""
# Resolves once 15 frames of the clock's video went by without one of the identity's; what was under way may arrive.
_STANDS_STILL = f"""async ([identity, clock]) => {{
    const video = {_TILE};
    const ticking = {_TILE.replace("(identity)", "(clock)")};
    for (let still = 0, last = -1; still < 15; ) {{
        await new Promise((done) => ticking.requestVideoFrameCallback(done));
        const now = video.getVideoPlaybackQuality().totalVideoFrames;
        still = now === last ? still + 1 : 0;
        last = now;
    }}
}}"""


def chromium_path() -> str | None:
    return shutil.which("chromium")


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A browser that asks nobody for the camera and shows a moving test picture in its place."""
    # A proxy in the environment is not for loopback, and there is nothing else to reach.
    env = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium_path(), args=list(FLAGS), env=cast(Any, env)
        )
        try:
            yield browser
        finally:
            await browser.close()


def join_link(http: str, token: str, room: str, mode: str = "node", auto: bool = True) -> str:
    return f"{http}/#" + urlencode({"token": token, "room": room, "mode": mode, "auto": int(auto)})


class Participant:
    """A person in front of the demo page, in a browser profile of their own. `problems` are errors of the page."""

    def __init__(self, page: Page, identity: str) -> None:
        self.page = page
        self.identity = identity
        self.problems: list[str] = []
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", lambda line: self.problems.append(line.text) if line.type == "error" else None)

    @property
    def tiles(self) -> Locator:
        return self.page.locator(".tile")

    def tile(self, identity: str) -> Locator:
        return self.page.locator(f'.tile[data-identity="{identity}"]')

    async def is_in(self, people: int) -> None:
        """Waits until the page shows the call with that many people, connected."""
        await expect(self.page.locator("#state")).to_have_attribute(
            "data-state", "joined", timeout=DEADLINE * 1000
        )
        await expect(self.tiles).to_have_count(people, timeout=DEADLINE * 1000)

    async def sees(self, identity: str) -> None:
        """Waits until the other's video plays and its picture changes."""
        await expect(self.tile(identity)).to_have_attribute("data-camera", "on", timeout=DEADLINE * 1000)
        async with asyncio.timeout(DEADLINE):
            width, height = await self.page.evaluate(_MOVES, identity)
        assert width > 0
        assert height > 0

    async def hears(self, identity: str) -> None:
        """Waits until the other's sound is louder than silence."""
        async with asyncio.timeout(DEADLINE):
            await self.page.evaluate(_HEARS, identity)

    async def sees_stillness(self, identity: str) -> None:
        """Waits until no frame of the other comes any more while the own camera's do."""
        async with asyncio.timeout(DEADLINE):
            await self.page.evaluate(_STANDS_STILL, [identity, self.identity])

    async def shows(self, identity: str, **state: str) -> None:
        """Waits until the tile's data attributes are these."""
        for name, value in state.items():
            await expect(self.tile(identity)).to_have_attribute(
                f"data-{name}", value, timeout=DEADLINE * 1000
            )

    async def click(self, button: str) -> None:
        await self.page.click(f"#{button}")


class Wire:
    """The page's WebSocket, with a hand on it: can be cut, can go silent, can lose one message."""

    def __init__(self) -> None:
        self.opened = 0
        self.sent: list[dict[str, Any]] = []
        self.silent = False
        """Whether the page hears nothing any more; ends with its next connection."""
        self.lose: str | None = None
        """The method of an event that is lost on the way to the page, once."""
        self.gate = asyncio.Event()
        """New connections wait here for it to be set."""
        self.gate.set()
        self._route: WebSocketRoute | None = None
        self._more = asyncio.Condition()

    async def attach(self, page: Page) -> None:
        await page.route_web_socket(re.compile("^ws:"), self._open)

    async def cut(self, code: int = 4001) -> None:
        """The connection ends with that code, for both sides, and neither of them asked for it."""
        route, self._route = self._route, None
        assert route is not None
        await route.close(code=code, reason="cut")

    async def sends(self, method: str, times: int) -> None:
        """Waits until the page has sent that request so often."""
        async with asyncio.timeout(DEADLINE), self._more:
            await self._more.wait_for(lambda: [one["method"] for one in self.sent].count(method) >= times)

    async def connects(self, times: int) -> None:
        """Waits until the page has connected so often."""
        async with asyncio.timeout(DEADLINE), self._more:
            await self._more.wait_for(lambda: self.opened >= times)

    async def _open(self, route: WebSocketRoute) -> None:
        await self.gate.wait()
        self.silent = False
        self._route = route
        server = route.connect_to_server()
        route.on_message(lambda data: self._to_server(server, data))
        server.on_message(lambda data: self._to_page(route, data))
        async with self._more:
            self.opened += 1
            self._more.notify_all()

    async def _to_server(self, server: WebSocketRoute, data: str | bytes) -> None:
        server.send(data)
        async with self._more:
            self.sent.append(json.loads(data))
            self._more.notify_all()

    def _to_page(self, route: WebSocketRoute, data: str | bytes) -> None:
        if self.silent:
            return
        if self.lose is not None and json.loads(data).get("method") == self.lose:
            self.lose = None
            return
        route.send(data)


@contextlib.asynccontextmanager
async def participant(
    browser: Browser, link: str, identity: str, scripts: Iterable[str] = (), wire: Wire | None = None
) -> AsyncIterator[Participant]:
    """Opens the link. `scripts` run in the page before its own; `wire` is put between the page and the node."""
    context = await browser.new_context(viewport={"width": 900, "height": 600})
    try:
        page = await context.new_page()
        for script in (SMALL_CAMERA, *scripts):
            await page.add_init_script(script)
        if wire is not None:
            await wire.attach(page)
        person = Participant(page, identity)
        await page.goto(link)
        yield person
    finally:
        await context.close()


class Client:
    """A Palaver client in a page, as somebody who writes their own page would use the module."""

    def __init__(self, page: Page, handle: JSHandle) -> None:
        self._page = page
        self._handle = handle

    @classmethod
    async def make(cls, page: Page, url: str) -> Client:
        """Loads the module into a page of the side port; joins nothing yet."""
        script = """async (url) => {
            const { Palaver } = await import("/palaver.js");
            const client = new Palaver(url);
            client.log = [];
            client.on("state", ({ state, error }) => client.log.push(error ? `${state} ${error.reason}` : state));
            return client;
        }"""
        return cls(page, await page.evaluate_handle(script, url))

    @classmethod
    async def join(cls, page: Page, url: str, token: str, room: str = "garden") -> Client:
        client = await cls.make(page, url)
        assert await client.run("join", {"room": room, "token": token}) is None
        return client

    async def call(self, method: str, params: dict[str, Any], timeout_ms: int = 15_000) -> Any:
        return await self.run("call", method, params, {"timeoutMs": timeout_ms})

    async def run(self, verb: str, *arguments: Any) -> Any:
        """What the method resolves with, or the error that it rejects with, as a dict of its fields and `name`."""
        script = """([client, verb, ...rest]) => client[verb](...rest).catch(
            (error) => ({ name: error.name, message: error.message, ...error }))"""
        async with asyncio.timeout(DEADLINE):
            return await self._page.evaluate(script, [self._handle, verb, *arguments])

    async def get(self, expression: str) -> Any:
        """Evaluates an expression of `client`."""
        return await self._page.evaluate(f"(client) => {expression}", self._handle)

    async def becomes(self, state: str) -> None:
        """Waits until the state is that one, or was it since the client was made."""
        script = """([client, state]) => new Promise((done) => {
            if (client.log.some((line) => line.startsWith(state))) done();
            else client.on("state", (change) => change.state === state && done());
        })"""
        async with asyncio.timeout(DEADLINE):
            await self._page.evaluate(script, [self._handle, state])
