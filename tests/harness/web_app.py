"""An aiohttp application that stands on loopback while a test runs: receivers, collectors, issuers, pages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web


@asynccontextmanager
async def on_loopback(*routes: web.AbstractRouteDef) -> AsyncIterator[str]:
    """Serves them on a free port while the block runs; its URL, without a slash at the end."""
    app = web.Application()
    app.add_routes(routes)
    # Requests that are still under way at the end are cut off: a test may have left one unanswered on purpose.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()
