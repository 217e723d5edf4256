"""The client's media: what it sends to the media node and receives from it, and its peer-to-peer calls.

There is one peer connection to send and one to receive. When one fails, or the session was lost, both are
made anew (a new round, under new names) and everything that was published and subscribed is put onto them
again.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Coroutine, Iterable
from typing import TYPE_CHECKING, Any, Literal

from aiortc import MediaStreamTrack

from palaver.client.errors import ClientError, MediaEnded, RequestRefused
from palaver.client.events import Event
from palaver.client.peer_calls import PeerCalls
from palaver.client.publication import Publication
from palaver.client.sources import Sources
from palaver.client.subscription import Subscription
from palaver.client.transport import NodeTransport
from palaver.rtc import FanOut, Outlet, Timeline

if TYPE_CHECKING:
    from palaver.client.client import Client

RETRY_SECONDS = (1.0, 2.0, 4.0, 8.0, 15.0)
"""How long a connection that failed rests before it is made anew."""
SOURCES = {"audio": "microphone", "video": "camera"}

_log = logging.getLogger(__name__)


class Media:
    """Made by `Client.media`. You must `close` it; the client does when it leaves."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.timeline = Timeline()
        self.sources = Sources(self.timeline)
        self.calls = PeerCalls(self)
        self.publications: dict[str, Publication] = {}
        self.subscriptions: dict[str, Subscription] = {}
        """By consumer id."""
        self._send: NodeTransport | None = None
        self._recv: NodeTransport | None = None
        self._outlets: dict[Outlet, str | None] = {}
        """The send transport's outlets → the producer that has it."""
        self._sections: dict[str, FanOut] = {}
        """The receive transport's sections by mid."""
        self._round = 0
        self._failures = 0
        self._closed = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._deaf = [
            client.on(
                "rejoined", lambda event: self.spawn(self._restart(fresh=True), "media after a lost session")
            ),
            client.on("producerClosed", self._producer_closed),
            client.on("consumerClosed", self._consumer_closed),
        ]

    @property
    def states(self) -> dict[str, str]:
        """The states of the connections there are: send and recv → new, connecting, connected, failed or
        closed.
        """
        return {t.name: t.state for t in (self._send, self._recv) if t is not None}

    # publishing

    async def publish(
        self,
        track: MediaStreamTrack,
        *,
        source: str | None = None,
        label: str | None = None,
        paused: bool = False,
    ) -> Publication:
        """See `Client.publish`."""
        if self._closed:
            raise MediaEnded("the client has left")
        publication = Publication(self, _id(), track, source or SOURCES[track.kind], label, paused)
        self.publications[publication.id] = publication
        try:
            await self._produce(publication)
        except BaseException:
            self.publications.pop(publication.id, None)
            self._release(publication)
            publication.drop()
            raise
        return publication

    async def unpublish(self, publication: Publication) -> None:
        """Use `Publication.close`."""
        self.publications.pop(publication.id, None)
        self._release(publication)
        await self._tell("closeProducer", publication.id)

    async def _produce(self, publication: Publication) -> None:
        round = self._round
        transport = self._send = self._send or self._transport("send")
        outlet = self._free_outlet(publication, transport)
        if self._mid_of(transport, outlet) is None:
            await transport.negotiate()
        if round != self._round:  # the restart has taken care of it, or will
            return
        await self.client.call(
            "createProducer",
            id=publication.id,
            transport=transport.name,
            kind=publication.kind,
            source=publication.source,
            mid=self._mid_of(transport, outlet),
            label=publication.label,
            paused=publication.paused,
        )
        if not publication.closed and round == self._round:
            publication.attach(outlet)

    def _free_outlet(self, publication: Publication, transport: NodeTransport) -> Outlet:
        """Takes a section that an ended publication has left, else adds one."""
        for outlet, owner in self._outlets.items():
            if owner is None and outlet.kind == publication.kind and outlet.readyState == "live":
                break
        else:
            outlet = Outlet(publication.kind)
            transport.pc.addTransceiver(outlet, "sendonly")
        self._outlets[outlet] = publication.id
        return outlet

    def _release(self, publication: Publication) -> None:
        for outlet, owner in self._outlets.items():
            if owner == publication.id:
                self._outlets[outlet] = None

    @staticmethod
    def _mid_of(transport: NodeTransport, outlet: Outlet) -> str | None:
        mids = [
            t.mid for t in transport.pc.getTransceivers() if t.sender.track is outlet and t.currentDirection
        ]
        return mids[0] if mids else None

    # subscribing

    async def subscribe(self, producer: str, *, paused: bool = False) -> Subscription:
        """See `Client.subscribe`."""
        if self._closed:
            raise MediaEnded("the client has left")
        known = self.client.room.producers.get(producer)
        if known is None:
            raise MediaEnded(f"there is no producer {producer} in the room")
        if known.kind not in SOURCES:
            raise MediaEnded(f"producer {producer} is {known.kind}, which this client does not receive")
        subscription = Subscription(self, _id(), known, paused)
        self.subscriptions[subscription.id] = subscription
        try:
            await self._consume(subscription)
        except BaseException:
            self.subscriptions.pop(subscription.id, None)
            subscription.end()
            raise
        return subscription

    async def unsubscribe(self, subscription: Subscription) -> None:
        """Use `Subscription.close`."""
        self.subscriptions.pop(subscription.id, None)
        await self._tell("closeConsumer", subscription.id)

    async def _consume(self, subscription: Subscription) -> None:
        round = self._round
        transport = self._recv = self._recv or self._transport("recv")
        reply = await self.client.call(
            "createConsumer", id=subscription.id, producer=subscription.producer.id, transport=transport.name
        )
        if round != self._round:
            return
        mid: str | None = reply.get("mid")
        if mid is None:
            transport.pc.addTransceiver(subscription.producer.kind, "recvonly")
            await transport.negotiate()
            mid = transport.bindings.get(subscription.id)
        if round != self._round:
            return
        if mid is None or subscription.closed:
            raise MediaEnded(f"producer {subscription.producer.id} was closed meanwhile")
        subscription.attach(self._section(transport, mid))
        if not subscription.paused:
            await self.client.call("resumeConsumer", id=subscription.id)

    def _section(self, transport: NodeTransport, mid: str) -> FanOut:
        if mid not in self._sections:
            transceiver = transport.transceiver(mid)
            if transceiver is None or transceiver.receiver.track is None:
                raise MediaEnded(f"the node named a media section ({mid}) that is not there")
            self._sections[mid] = FanOut(transceiver.receiver.track, self.timeline)
        return self._sections[mid]

    # what happens

    def _producer_closed(self, event: Event) -> None:
        for subscription in list(self.subscriptions.values()):
            if subscription.producer.id == event["id"]:
                self._ended(subscription)
        own = self.publications.pop(event["id"], None)
        if own is not None and not own.closed:  # by a moderator
            self._release(own)
            own.drop()

    def _consumer_closed(self, event: Event) -> None:
        subscription = self.subscriptions.get(event["id"])
        if subscription is not None:
            self._ended(subscription)

    def _ended(self, subscription: Subscription) -> None:
        self.subscriptions.pop(subscription.id, None)
        subscription.end()

    def _state(self, state: str) -> None:
        if state == "connected":
            self._failures = 0
        if state in ("failed", "closed") and not self._closed:  # closed by the other side, that is
            wait = RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)]
            self._failures += 1
            self.spawn(self._restart_later(self._round, wait), "media after a failure")

    async def _restart_later(self, round: int, seconds: float) -> None:
        await asyncio.sleep(seconds)
        if round == self._round:
            await self._restart(fresh=False)

    async def _restart(self, *, fresh: bool) -> None:
        """Makes everything anew. A session that is still the same is first told to forget the old."""
        if self._closed:
            return
        old = self._reset()
        round = self._round
        await asyncio.gather(*(transport.close() for transport in old))
        if not fresh:
            for id in self.publications:
                await self._tell("closeProducer", id)
            for id in self.subscriptions:
                await self._tell("closeConsumer", id)
        for publication in list(self.publications.values()):
            await self._again(self._produce(publication), publication.id)
        for subscription in list(self.subscriptions.values()):
            if round != self._round:
                return
            await self._again(self._consume(subscription), subscription.id)

    async def _again(self, work: Coroutine[Any, Any, None], id: str) -> None:
        try:
            await work
        except ClientError as error:
            _log.info("%s could not be taken up again: %s", id, error)

    def _reset(self) -> list[NodeTransport]:
        self._round += 1
        for publication in self.publications.values():
            publication.detach()
        for subscription in self.subscriptions.values():
            subscription.detach()
        for section in self._sections.values():
            section.stop()
        old = [transport for transport in (self._send, self._recv) if transport is not None]
        self._send = self._recv = None
        self._sections, self._outlets = {}, {}
        return old

    def _transport(self, direction: Literal["send", "recv"]) -> NodeTransport:
        name = f"{direction}.{self._round}" if self._round else direction
        return NodeTransport(self.client, name, direction, self._state)

    async def _tell(self, method: str, id: str) -> None:
        """Closes something at the node, which may be gone already."""
        try:
            await self.client.call(method, id=id)
        except RequestRefused as error:
            _log.debug("%s", error)
        except ClientError as error:
            _log.info("%s of %s failed: %s", method, id, error)

    # end

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        if self._closed:
            work.close()
            return
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.warning("%s failed", task.get_name(), exc_info=task.exception())

    async def close(self) -> None:
        """Ends every connection, publication, subscription and call. The tracks given to `publish` stay
        yours.
        """
        if self._closed:
            return
        self._closed = True
        for stop in self._deaf:
            stop()
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        everything: Iterable[Subscription] = list(self.subscriptions.values())
        transports = self._reset()
        for subscription in everything:
            self._ended(subscription)
        for publication in self.publications.values():
            publication.drop()
        self.publications.clear()
        await asyncio.gather(self.calls.close(), *(transport.close() for transport in transports))
        self.sources.close()
        if tasks:
            await asyncio.wait(tasks)


def _id() -> str:
    """An id of our own, so that a request can be repeated."""
    return secrets.token_hex(12)
