"""ClusterMember: this node's place in the cluster. Carries the native driver's events to the loop, and the loop's beat back.

`await start()`, then ask; end it with `close`, which says goodbye. The driver runs on a thread of its own, so that probes do
not wait for the interpreter; everything here belongs to the loop.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from palaver.cluster.bootstrap import BootstrapConfig
from palaver.cluster.credential_keeper import CredentialKeeper
from palaver.cluster.events import narrate
from palaver.cluster.journal import EventJournal
from palaver.cluster.manager import ClusterManager, shown
from palaver.cluster.notice import NoticeError, is_notice
from palaver.core import ClusterDriver, CoreError, NodeMetadata
from palaver.core import events as told
from palaver.errors import StartError
from palaver.observe import MetricsTracker
from palaver.settings.cluster import ClusterSettings
from palaver.settings.cluster_rules import advertised

log = logging.getLogger(__name__)

BEAT_SECONDS: Final = 1.0
TICKET_SECONDS: Final = 5.0
"""A new ticket is shown so long after it came. Until its signer is known everywhere, others would refuse the record with it,
and gossip keeps no order; a broadcast takes about a second."""
MEMBERS_PER_SECOND: Final = 1_000
"""Looking at one member takes about a microsecond: larger clusters are looked at more rarely."""

Broadcast = Callable[[str, bytes], None]


class Vitals(Struct, frozen=True):
    """How the node is doing."""

    load: int = 0
    """Thousandths of what it can carry, from 0 to 1,000."""
    sessions: int = 0
    draining: bool = False


class ClusterMember:
    """One node's membership, from its settings."""

    def __init__(
        self,
        settings: ClusterSettings,
        *,
        name: str,
        region: str = "",
        directory: Path | None = None,
        vitals: Callable[[], Vitals] = Vitals,
        tracker: MetricsTracker | None = None,
    ) -> None:
        """`directory` keeps identity and view over a restart; without one the node is a new one each time.

        Raises SettingsError for credentials that cannot be used.
        """
        self.settings = settings
        self.keeper = CredentialKeeper(settings, directory)
        self.name = name
        self.tracker = tracker or MetricsTracker()
        self.journal = EventJournal()
        seeds = (*settings.seeds, *self.keeper.seeds)
        self.bootstrap = BootstrapConfig(tuple(dict.fromkeys(seeds)))
        self._vitals = vitals
        self._listeners: list[Broadcast] = []
        self._looked = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        self._running = False
        self._left = False
        self.is_banned = False
        """Whether an authority has banned this node: it is no member any more, and needs a new key to be one."""
        self._acknowledged = 0
        self._reading: int | None = None
        self.driver = ClusterDriver(
            self.keeper.keys,
            cluster=self.keeper.cluster,
            name=name,
            metadata=NodeMetadata(region, settings.zone),
            state_dir=None if directory is None else directory / "view",
            blocked_after=settings.silence_seconds,
            leave_after=settings.silence_leave_seconds,
            settings={"gossip_interval": self.bootstrap.get_gossip_interval()},
            **self.keeper.admission(),
        )
        self.node_id = self.keeper.keys.node_id
        self.manager = ClusterManager(self.driver, self.node_id)

    async def start(self) -> None:
        """Binds, reads the disk and begins to greet. Raises StartError; then nothing is left running."""
        seeds = await asyncio.to_thread(self.bootstrap.get_seed_nodes)
        self._tell_problems()
        bind = shown((self.settings.host, self.settings.port))
        try:
            await asyncio.to_thread(self._start, bind)
        except (OSError, CoreError) as error:
            await asyncio.to_thread(self.driver.close)
            raise StartError(f"the cluster port {bind} cannot be opened: {_reason(error)}") from error
        self._running = True
        others = [seed for seed in seeds if shown(seed) != self.driver.address]
        if others:
            self.manager.join(*others)
        loop = asyncio.get_running_loop()
        self._reading = self.driver.fd
        loop.add_reader(self._reading, self._drain)
        self._beat()
        self._tasks = [
            asyncio.create_task(self._beat_forever(), name="cluster beat"),
            asyncio.create_task(self._look_up_seeds(), name="cluster seeds"),
        ]
        log.info(
            "in the cluster",
            extra={"cluster": self.keeper.cluster, "nodeId": self.node_id, "gossip": self.driver.address},
        )
        if self.bootstrap.entries and not seeds:  # the engine has nobody to ask, so it will not say this
            log.warning("none of the seeds can be looked up; alone, trying again")

    def _start(self, bind: str) -> None:
        self.driver.start(bind, advertise=self._advertise(), seeds=[])

    def _advertise(self) -> str | None:
        found = advertised(self.settings.advertise) if self.settings.advertise else None
        if found is None:
            return None
        host, port = found
        return shown((host, self.settings.port if port is None else port))

    @property
    def address(self) -> str:
        """`host:port` of the gossip port that is really bound. Only after `start`."""
        return self.driver.address

    @property
    def is_member(self) -> bool:
        """Whether the node takes part: it has started, and has not left."""
        return self._running and not self._left

    def members(self) -> list[told.Member]:
        """All members as this node sees them, itself included; none after it has left."""
        return self.driver.members() if self.is_member else []

    def why_alone(self) -> str | None:
        """One sentence where the node is banned, or seeds were given and none has answered; it serves all the same."""
        if self.is_banned:
            return "banned from its cluster"
        if not self.is_member:
            return None
        if self.bootstrap.entries and self.driver.reachability().seeds in ("asking", "silent", "none"):
            return "alone, trying seeds"
        return None

    def on_broadcast(self, listener: Broadcast) -> None:
        """Has `listener(origin, payload)` called for each broadcast that is not the cluster's own business."""
        self._listeners.append(listener)

    def take_notice(self, payload: bytes) -> None:
        """Believes a notice of an authority and passes it on to every member. Raises NoticeError, CoreError."""
        self._apply(payload)
        self.manager.broadcast_change(payload, urgent=True)

    def reconfigure(self, settings: ClusterSettings) -> None:
        """Takes new lists of keys and authorities (cluster.keys, cluster.authorities). Raises CoreError; then the old hold."""
        before, self.settings = self.settings, settings
        self.keeper.reconfigure(settings)
        try:
            if self.is_member:
                self.driver.set_admission(**self.keeper.admission())
        except CoreError:
            self.settings = before
            self.keeper.reconfigure(before)
            raise

    async def leave(self) -> int:
        """Says goodbye; returns how many have heard it. The node goes on serving clients, and comes back by a restart."""
        if not self.is_member:
            return 0
        self._left = True  # first, so that nobody asks a driver that is on its way out
        self._stop_tasks()
        await asyncio.to_thread(self.manager.leave, timeout=self.settings.leave_seconds)
        self._drain()
        return self._acknowledged

    async def close(self) -> None:
        """Says goodbye and ends the driver. Safe to call twice."""
        if self.is_member:
            try:
                await self.leave()
            except CoreError as error:  # it has ended by itself meanwhile
                log.info("left without a goodbye: %s", error)
        self._stop_tasks()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        if self._reading is not None:
            asyncio.get_running_loop().remove_reader(self._reading)
            self._reading = None
        self._running = False
        await asyncio.to_thread(self.driver.close)

    def _stop_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()

    # --- from the driver ---

    def _drain(self) -> None:
        for event in self.driver.drain():
            try:
                self._handle(event)
            except Exception:  # one event that cannot be handled must not cost the others
                log.exception("a cluster event could not be handled", extra={"event": type(event).__name__})

    def _handle(self, event: told.Event) -> None:
        match event:
            case told.BroadcastReceived(origin=origin, payload=payload):
                self.tracker.record_gossip(origin)
                if is_notice(payload):
                    self._hear_notice(origin, payload)
                else:
                    for listener in self._listeners:
                        listener(origin, payload)
                return
            case told.Suspected(node_id=node_id, suspect=True):
                self.tracker.record_suspicion(node_id)
            case told.ViewChanged(changes=changes):
                for change in changes:
                    if change.after == "unreachable" and change.before != "unreachable":
                        self.tracker.record_suspicion(change.node_id)
                    elif change.after is None:
                        self.tracker.forget(change.node_id)
            case told.Stopped(acknowledged=acknowledged, why=why):
                self._acknowledged = acknowledged
                self.is_banned = why == "banned"
                self._left = True
                self._stop_tasks()
        for level, kind, sentence, facts in narrate(event):
            self.journal.add(time.time(), kind, facts)
            log.log(level, sentence, extra=facts)

    def _hear_notice(self, origin: str, payload: bytes) -> None:
        try:
            self._apply(payload)
        except NoticeError as error:  # told once by each key that counts, of which some may be new here
            log.debug("a notice does not count: %s", error, extra={"member": origin})

    def _apply(self, payload: bytes) -> None:
        before = set(self.keeper.authorities)
        first = self.keeper.take(payload)
        changes = [first, *self.keeper.retry()] if first else []
        if changes:
            admission = self.keeper.admission()
            admission.pop("ticket", None)
            self.driver.set_admission(**admission)
            # Where a key was taken away, the ticket it signed must not be shown any longer.
            wait = TICKET_SECONDS if before <= set(self.keeper.authorities) else 0.0
            asyncio.get_running_loop().call_later(wait, self._show_ticket)
        for changed in changes:
            self.journal.add(time.time(), "credentials", {"what": changed})
            log.info("credentials changed", extra={"what": changed})

    # --- to the driver ---

    def _show_ticket(self) -> None:
        if not self.is_member:
            return
        try:
            self.driver.set_admission(**self.keeper.admission())
        except CoreError as error:
            log.warning("the ticket of this node cannot be shown: %s", error)

    async def _beat_forever(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            try:
                self._beat()
            except CoreError as error:
                log.warning("the cluster driver does not answer: %s", error)

    def _beat(self) -> None:
        vitals = self._vitals()
        self.driver.beat()
        self.driver.set_vitals(
            load=min(max(vitals.load, 0), 1_000), sessions=vitals.sessions, draining=vitals.draining
        )
        now = time.monotonic()
        if now < self._looked:
            return
        members = self.driver.members()
        self._looked = now + len(members) / MEMBERS_PER_SECOND
        heard = self.tracker.heartbeat_times
        for member in members:
            if member.node_id != self.node_id and member.last_heartbeat > heard.get(member.node_id, 0.0):
                self.tracker.record_heartbeat(member.node_id, member.last_heartbeat)
                self.tracker.record_gossip(member.node_id)

    async def _look_up_seeds(self) -> None:
        """Names and files among the seeds may say something else later."""
        while True:
            await asyncio.sleep(self.settings.seed_seconds)
            seeds: Sequence[tuple[str, int]] = await asyncio.to_thread(self.bootstrap.get_seed_nodes)
            others = [seed for seed in seeds if shown(seed) != self.driver.address]
            self._tell_problems()
            if others and self.manager.join(*others):
                log.info("other seeds", extra={"seeds": [shown(seed) for seed in others]})

    def _tell_problems(self) -> None:
        for problem in self.bootstrap.problems:
            log.warning(problem)


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
