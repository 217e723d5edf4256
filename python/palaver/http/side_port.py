"""SidePort: health, metrics, the admin API and the demo page, on a port of its own beside the gateway.

After making one, await `start`; from then on `address` and `url` say where it listens; end it with `close`,
which may be called at any time and more than once. It keeps no state: each answer is asked for when a request
comes.
"""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from palaver.errors import StartError
from palaver.http.admin import AdminApi
from palaver.http.admin_web import AdminWeb
from palaver.http.pages import PAGE_FILES, host_asked, load_page, policy
from palaver.observe import MetricsExporter
from palaver.settings.tree import HttpSettings

if TYPE_CHECKING:
    from aiohttp import web

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_log = logging.getLogger(__name__)

CLOSE_SECONDS = 1.0
"""How long a request under way may go on when the port closes; every answer here takes milliseconds."""

EVERY_ANSWER = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Server": "palaver",
    "X-Content-Type-Options": "nosniff",
}


class SidePort:
    """Serves /livez, /readyz, /metrics, /config.json and, with `settings.demo`, the demo page at /."""

    def __init__(
        self,
        settings: HttpSettings,
        ready: Callable[[], str | None],
        exporter: MetricsExporter,
        page_config: Callable[[str | None], Mapping[str, Any]],
        admin: AdminApi | None = None,
        remark: Callable[[], str | None] = lambda: None,
    ) -> None:
        """`ready` returns None, or one sentence on why this node should get no new clients. `page_config`
        is given the host that the browser asked (None where it named none) and returns what the page needs to know:
        `gateway` (the WebSocket URL), `iceServers`, and the `alternatives` that it may be sent to. `admin` is served
        where `settings.admin_token` is set. `remark` returns one sentence that /readyz says after its ok, or None."""
        self._settings = settings
        self._ready = ready
        self._exporter = exporter
        self._page_config = page_config
        self._remark = remark
        self._admin = AdminWeb(admin, settings.admin_token) if admin and settings.admin_token else None
        self._runner: web.AppRunner | None = None
        self._address: tuple[str, int] | None = None

    @property
    def address(self) -> tuple[str, int]:
        """The host and the port that is really bound. Only after `start`."""
        if self._address is None:
            raise RuntimeError("the side port is not open")
        return self._address

    @property
    def url(self) -> str:
        """`http://host:port`, without a slash at the end."""
        host, port = self.address
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def start(self, *, shared: bool = False) -> None:
        """Binds and serves; `shared` where our supervisor keeps the port (SO_REUSEPORT).

        Raises StartError where the address cannot be bound, leaving nothing open.
        """
        from aiohttp import web

        app = web.Application(client_max_size=4096)
        app.on_response_prepare.append(_add_headers)
        app.add_routes([web.get(path, handler) for path, handler in self._routes()])
        if self._admin is not None:
            app.middlewares.append(self._admin.guard())
            app.add_routes([web.route(*route) for route in self._admin.routes()])
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=CLOSE_SECONDS)
        await runner.setup()
        try:
            await web.TCPSite(
                runner, self._settings.host, self._settings.port, reuse_port=shared or None
            ).start()
        except OSError as error:
            await runner.cleanup()
            raise StartError(_why_not_bound(self._settings, error)) from error
        self._runner = runner
        host, port = runner.addresses[0][:2]
        self._address = (host, port)

    async def close(self) -> None:
        runner, self._runner, self._address = self._runner, None, None
        if runner is not None:
            await runner.cleanup()

    def _routes(self) -> list[tuple[str, Handler]]:
        routes: list[tuple[str, Handler]] = [
            ("/livez", self._livez),
            ("/readyz", self._readyz),
            ("/metrics", self._metrics),
            ("/config.json", self._config),
        ]
        if self._settings.demo:
            # A fixed table and not a directory: what is not in it cannot be reached by any path.
            routes += [(path, self._page(path)) for path in PAGE_FILES]
        return routes

    async def _livez(self, request: web.Request) -> web.StreamResponse:
        from aiohttp import web

        return web.Response(text="ok\n")

    async def _readyz(self, request: web.Request) -> web.StreamResponse:
        from aiohttp import web

        reason = self._ready()
        if reason is not None:
            return web.Response(status=503, text=f"{reason}\n")
        remark = self._remark()
        return web.Response(text="ok\n" if remark is None else f"ok: {remark}\n")

    async def _metrics(self, request: web.Request) -> web.StreamResponse:
        from aiohttp import web

        body = self._exporter.export()
        return web.Response(body=body, headers={"Content-Type": self._exporter.content_type})

    async def _config(self, request: web.Request) -> web.StreamResponse:
        from aiohttp import web

        return web.Response(
            body=msgspec.json.encode(dict(self._page_config(host_asked(request.headers.get("Host", ""))))),
            content_type="application/json",
        )

    def _page(self, path: str) -> Handler:
        from aiohttp import web

        file = load_page(path)

        async def serve(request: web.Request) -> web.StreamResponse:
            if request.headers.get("If-None-Match") == file.etag:
                return web.Response(status=304, headers={"ETag": file.etag})
            headers = {"Content-Type": file.content_type, "ETag": file.etag}
            if file.content_type.startswith("text/html"):
                config = self._page_config(host_asked(request.headers.get("Host", "")))
                headers |= policy([str(config.get("gateway", "")), *config.get("alternatives", ())])
            return web.Response(body=file.body, headers=headers)

        return serve


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    for name, value in EVERY_ANSWER.items():
        if name == "Server":
            response.headers[name] = value  # aiohttp has put its own version there by now
        else:
            response.headers.setdefault(name, value)


def _why_not_bound(settings: HttpSettings, error: OSError) -> str:
    where = f"{settings.host} port {settings.port}"
    if error.errno == errno.EADDRINUSE:
        return (
            f"The side port {where} is taken: "
            "end the other program, or set http.port to a free one (0 picks one)."
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"This user may not open the side port {where}: set http.port to 1024 or more."
    if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return f"The side port cannot use {where}: set http.host to an address of this machine."
    return f"The side port {where} cannot be opened: {error.strerror or error}."
