"""SignalingNode: the composition root, the only file that knows every part."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, Final

from palaver.cluster import ClusterMember, Vitals
from palaver.errors import SettingsError
from palaver.gateway import ClientGateway
from palaver.http import AdminApi, Hooks, KeySets, SidePort
from palaver.ledger import MemoryLedger, SqliteLedger
from palaver.media import AiortcMediaNode
from palaver.node_cluster import ClusterViews, cluster_metrics
from palaver.node_directory import SingleNodeDirectory, WorkerDirectory
from palaver.node_metrics import gateway_metrics, media_metrics, node_metrics, signaling_metrics
from palaver.observe import LoopLag, MetricsExporter, Source, SpanExport
from palaver.observe.logs import configure as configure_logs
from palaver.settings import Settings, Worker, reloaded, rulings_file
from palaver.settings.dev import ANY, LOOPBACK, url_host
from palaver.signaling.plane import SignalingPlane
from palaver.signaling.ports import Answer, MediaNode
from palaver.version import VERSION
from palaver.webhooks import Webhooks

log = logging.getLogger(__name__)

TICK_SECONDS: Final = 0.05
"""How often due timers of sessions are looked at: a twentieth of the shortest that matters to people."""
HURRY_SECONDS: Final = 0.2
"""How long closing handshakes may still take after a drain, or after the second signal."""


class SignalingNode:
    """One node: gateway, signaling plane, media node, side port.

    `await start()`, then `await run_until_stopped()` (SIGTERM or SIGINT: drain; again: end at once; SIGHUP: read the
    settings again), then `await close()`. Raises StartError where it cannot start.
    """

    def __init__(
        self,
        settings: Settings,
        source: Callable[[], Settings] | None = None,
        worker: Worker | None = None,
    ) -> None:
        """`source` reads the settings again, for `reload`; it raises SettingsError and is called in a thread.

        With `worker` it is one of several on one port; the settings are those of `worker_settings`.
        """
        self.settings = settings
        self._source = source
        self._worker = worker
        self.name = settings.node.name or socket.gethostname()
        self._tasks: set[asyncio.Task[None]] = set()
        self.lag = LoopLag(TICK_SECONDS)
        self._ticker: asyncio.Task[None] | None = None
        self._draining = False
        self._in_a_hurry = False
        self._departure: asyncio.Task[None] | None = None
        self._refusing_until = 0.0
        self._ledger = (
            SqliteLedger(rulings_file(settings, worker)) if settings.node.state_dir else MemoryLedger()
        )
        self._first_webhook_secret = settings.auth.keys.get(settings.webhooks.key, "")
        self.webhooks: Webhooks | None = None
        if settings.webhooks.urls or settings.http.admin_token:
            self.webhooks = Webhooks(
                settings.webhooks, settings.node.state_dir, self.name, self._webhook_secret
            )
        self.spans = SpanExport(settings.tracing, self.name) if settings.tracing.endpoint else None
        self._directory = self._make_directory(time.time())
        media: dict[str, MediaNode] = {}
        self.plane = SignalingPlane(
            settings,
            node=self.name,
            version=VERSION,
            directory=self._directory,
            media=media,
            ledger=self._ledger,
            clock=time.monotonic,
            wall=time.time,
            entropy=os.urandom,
            spawn=self._spawn,
            drain=self._refuse_for,
            observer=self.webhooks.observe if self.webhooks is not None else None,
            tracer=self.spans,
            within=self._within,
        )
        self.media: AiortcMediaNode | None = None
        if settings.media.embedded:
            self.media = AiortcMediaNode(self.name, self.plane, settings.media.addresses)
            media[self.media.node] = self.media
        self.gateway = ClientGateway(
            settings.gateway, self.plane.messages, token_in_query=settings.auth.token_in_query
        )
        self.cluster: ClusterMember | None = None
        if settings.cluster.enabled:
            self.cluster = ClusterMember(
                settings.cluster,
                name=self.name,
                region=settings.node.region,
                directory=Path(settings.node.state_dir) / "cluster" if settings.node.state_dir else None,
                vitals=self._vitals,
            )
        sources: dict[str, Source] = {
            "gateway": lambda: gateway_metrics(self.gateway),
            "signaling": lambda: signaling_metrics(self.plane),
            "media": lambda: media_metrics(self.media),
            "node": lambda: node_metrics(self.lag, self._draining),
        }
        if self.spans is not None:
            sources["tracing"] = self.spans.metrics
        if (cluster := self.cluster) is not None:
            sources["cluster"] = lambda: cluster_metrics(cluster)
        admin: AdminApi | None = None
        if self.webhooks is not None:
            sources["webhooks"] = self.webhooks.metrics
            hooks = Hooks(self._begin_drain, self.undrain, lambda: self._draining, self.webhooks.events)
            views = ClusterViews(cluster) if cluster is not None else None
            admin = AdminApi(
                self.plane.sessions,
                self.plane.administration,
                hooks,
                views,
                self._directory.side_port_elsewhere,
            )
        self.exporter = MetricsExporter(sources)
        self._key_sets = KeySets(settings.auth, self.plane.verifier.trust)
        self.side_port = SidePort(
            settings.http, self.why_not_ready, self.exporter, self._page_config, admin, self._remark
        )

    @property
    def gateway_address(self) -> tuple[str, int]:
        return self.gateway.address

    @property
    def http_address(self) -> tuple[str, int]:
        return self.side_port.address

    def _make_directory(self, started: float) -> SingleNodeDirectory:
        if self._worker is None:
            return SingleNodeDirectory(self.name, started)
        return WorkerDirectory(self.name, started, self._worker, self.settings.gateway)

    def _refuse_for(self, seconds: float) -> None:
        """Tells load balancers to send nobody for a while (chaosInject drain)."""
        self._refusing_until = time.monotonic() + seconds

    def why_not_ready(self) -> str | None:
        """One sentence on why no new client should be sent here; None where there is no reason."""
        if self._draining or time.monotonic() < self._refusing_until:
            return "the node is draining"
        if self.gateway.paused:
            return "the node is out of file descriptors"
        if (problem := self._ledger.why_not_ready()) is not None:
            return problem
        return self.webhooks.why_not_ready() if self.webhooks is not None else None

    def _remark(self) -> str | None:
        """What is worth saying of a node that is ready."""
        return self.cluster.why_alone() if self.cluster is not None else None

    def _vitals(self) -> Vitals:
        """How the node is doing, for the other nodes: its load is the scarcer of connections and the loop's time."""
        most = self.settings.gateway.max_connections
        connections = len(self.gateway.table.sockets)
        late = self.lag.seconds / (TICK_SECONDS + self.lag.seconds)
        load = round(1_000 * max(connections / most, late))
        return Vitals(min(load, 1_000), len(self.plane.sessions.sessions), self._draining)

    async def start(self) -> None:
        """Reads key sets, binds all ports and begins to serve.

        Raises StartError, or SettingsError for a key set in a file; then nothing is left running.
        """
        try:
            await self._key_sets.start()
            worker = self._worker
            await self.gateway.start(own_port=worker.own_ports[worker.number - 1] if worker else None)
            await self.side_port.start(shared=worker is not None)
            if self.cluster is not None:
                await self.cluster.start()
            if self.webhooks is not None:
                await self.webhooks.start()
        except BaseException:
            await self.close()
            raise
        self._ticker = asyncio.create_task(self._tick(), name="session timers")
        log.info(
            "serving", extra={"node": self.name, "gateway": self.gateway_address, "http": self.http_address}
        )

    async def run_until_stopped(self) -> None:
        """Serves until SIGTERM or SIGINT, then drains; a second signal ends the drain at once."""
        loop = asyncio.get_running_loop()
        asked: asyncio.Queue[int] = asyncio.Queue()
        signals = (signal.SIGTERM, signal.SIGINT)
        for each in signals:
            loop.add_signal_handler(each, asked.put_nowait, each)
        hangup = asyncio.Event()
        if self._source is not None:
            loop.add_signal_handler(signal.SIGHUP, hangup.set)
        reloading = asyncio.create_task(self._reload_whenever(hangup), name="reload")
        try:
            await asked.get()
            draining = asyncio.create_task(self.drain(), name="drain")
            again = asyncio.create_task(asked.get(), name="second signal")
            await asyncio.wait({draining, again}, return_when=asyncio.FIRST_COMPLETED)
            self._in_a_hurry = True  # all have heard it, or somebody will not wait for that
            for task in (draining, again):
                task.cancel()
            await asyncio.gather(draining, again, return_exceptions=True)
        finally:
            reloading.cancel()
            for each in (*signals, signal.SIGHUP):
                loop.remove_signal_handler(each)

    async def _reload_whenever(self, asked: asyncio.Event) -> None:
        while True:
            await asked.wait()
            asked.clear()
            await self.reload()

    async def reload(self) -> bool:
        """Reads the settings again and puts in force what can change while the node runs.

        Returns whether they could be used. If not, the old ones hold, and one log entry says why; settings that need
        a restart are named in a warning.
        """
        if self._source is None:
            log.warning("this node has no source to read its settings from again")
            return False
        try:
            fresh = await asyncio.to_thread(self._source)
            reload = reloaded(self.settings, fresh)
            apply = self.plane.prepare(reload.settings)
            self.gateway.reconfigure(
                reload.settings.gateway, token_in_query=reload.settings.auth.token_in_query
            )
        except SettingsError as error:
            log.error("the old settings hold: %s", "; ".join(str(error).splitlines()))
            return False
        apply()
        if self.cluster is not None and reload.settings.cluster != self.settings.cluster:
            self.cluster.reconfigure(reload.settings.cluster)
        if reload.settings.log != self.settings.log:
            configure_logs(reload.settings.log)
        self.settings = reload.settings
        await self._key_sets.configure(reload.settings.auth)
        log.info("settings reloaded", extra={"changed": reload.changed})
        if reload.needs_restart:
            log.warning("these settings change at the next start only: %s", ", ".join(reload.needs_restart))
        return True

    @property
    def draining(self) -> bool:
        """Whether the node takes no new clients, because it was told to drain (and not to `undrain`)."""
        return self._draining

    async def drain(self, deadline_seconds: float | None = None) -> bool:
        """Takes no new clients and sends those here away, spread over the deadline (gateway.drain_seconds).

        The node goes on serving, so that `undrain` can take it back at any time. Draining again begins anew with
        the new deadline. Returns whether it came to its end: False where another call came between.
        """
        seconds = self.settings.gateway.drain_seconds if deadline_seconds is None else deadline_seconds
        self._call_off()
        self._draining = self.plane.sessions.draining = True
        log.info("draining", extra={"connections": len(self.gateway.table.sockets), "seconds": seconds})
        departure = self._departure = asyncio.create_task(self.gateway.drain(seconds), name="drain")
        await asyncio.wait({departure})
        if departure.cancelled():
            return False
        departure.result()
        return True

    def _webhook_secret(self) -> str:
        """What signs webhooks. Rotates with a reload, but for one that has taken the key away."""
        return self.settings.auth.keys.get(self.settings.webhooks.key, self._first_webhook_secret)

    def _begin_drain(self, deadline_seconds: float | None) -> None:
        """Like `drain`, and comes back at once (admin API)."""

        async def drain() -> None:
            await self.drain(deadline_seconds)

        self._draining = True
        self._spawn(drain())

    def undrain(self) -> None:
        """Takes clients again. Those who were sent away are gone; those who were not yet, stay."""
        self._call_off()
        if self._draining:
            self._draining = self.plane.sessions.draining = False
            self.gateway.undrain()
            log.info("not draining any more", extra={"connections": len(self.gateway.table.sockets)})

    def _call_off(self) -> None:
        if self._departure is not None:
            self._departure.cancel()
            self._departure = None

    async def close(self) -> None:
        """Ends everything that this node started. Safe to call twice."""
        self._draining = True
        self._call_off()
        if self.cluster is not None:
            await self.cluster.close()
        await self.gateway.close(patience_seconds=HURRY_SECONDS if self._in_a_hurry else None)
        if self._ticker is not None:
            self._ticker.cancel()
        tasks = [*self._tasks, *([self._ticker] if self._ticker else [])]
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self.media is not None:
            await self.media.close()
        await self.side_port.close()
        await self._key_sets.close()
        if self.webhooks is not None:
            await self.webhooks.close()
        if self.spans is not None:
            await self.spans.close()
        self._ledger.close()

    async def _within(self, answer: Awaitable[Answer]) -> Answer:
        async with asyncio.timeout(self.settings.media.answer_seconds):
            return await answer

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="media request")
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a media request failed", exc_info=task.exception())

    async def _tick(self) -> None:
        before = time.monotonic()
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = time.monotonic()
            self.plane.admission.note_lag(self.lag.ticked(now - before))
            before = now
            try:
                self.plane.sessions.advance(now)
                if self._worker is not None:
                    self.plane.administration.catch_up()
                    self.plane.sessions.deliver_all()
            except Exception:
                log.exception("session timers failed")

    def _page_config(self, asked: str | None) -> dict[str, Any]:
        """What the page is told. A gateway on all interfaces is where the page itself came from, on its own port."""
        bound, port = self.gateway_address
        host = (asked or LOOPBACK) if bound in ANY else url_host(bound)
        scheme = "wss" if self.settings.gateway.tls_certificate else "ws"
        url = f"{scheme}://{host}:{port}{self.settings.gateway.path}"
        return {
            "gateway": url,
            "iceServers": [{"urls": [each]} for each in self.settings.media.ice_servers],
            "alternatives": [*self.settings.gateway.alternatives, *self._directory.addresses(host)],
        }
