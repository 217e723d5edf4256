"""The media node inside the process: aiortc through its public API, for small rooms and tests.

It decodes what a producer sends once, and encodes it again for every consumer: the cost of a room grows with
the square of its cameras. It carries audio and video; data channels are refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from palaver.media.link import Link
from palaver.media.transport import Consumer, Producer, Transport
from palaver.rtc import Description, FanOut, SdpError, Timeline
from palaver.signaling.ports import (
    Answer,
    BadSdp,
    Candidate,
    Direction,
    Kind,
    MediaEvents,
    MediaUnavailable,
    TransportHandle,
    TransportState,
)


class AiortcMediaNode:
    """Implements `palaver.signaling.ports.MediaNode`. You must `await close()` it.

    `addresses` are the local IP addresses to gather candidates on; empty: all of the host but loopback.
    """

    kinds: frozenset[Kind] = frozenset({"audio", "video"})
    """What it can carry."""

    def __init__(self, node: str, events: MediaEvents, addresses: Sequence[str] = ()) -> None:
        self.node = node
        self._events = events
        self._addresses = tuple(addresses)
        self._timeline = Timeline()
        self._transports: dict[TransportHandle, Transport] = {}
        self._producers: dict[tuple[str, str], Producer] = {}
        self._consumers: dict[tuple[str, str], Consumer] = {}
        self._audiences: dict[tuple[str, str], dict[str, Consumer]] = {}
        """(room, producer) → its consumers."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._forwarded = 0
        self._closed = False

    # negotiation

    async def accept_offer(self, handle: TransportHandle, direction: Direction, sdp: str) -> Answer:
        offer = _parse(sdp)
        transport = self._transport(handle)
        async with transport.lock:
            self._alive(transport)
            link = transport.link
            # Other credentials, another certificate: the client began anew, with a peer connection
            # that knows nothing of ours.
            if link is None or (link.identity and link.identity != offer.identity):
                link = self._new_link(transport)
            with self._adopting(transport, link):
                answer = await link.answer(offer, direction)
            await self._flush_candidates(transport)
            return Answer(sdp=answer, consumers=transport.bindings())

    async def make_offer(self, handle: TransportHandle) -> Answer:
        transport = self._transport(handle)
        async with transport.lock:
            self._alive(transport)
            link = transport.link or self._new_link(transport)
            with self._adopting(transport, link):
                offer = await link.offer([consumer.kind for consumer in transport.waiting()])
            return Answer(sdp=offer, consumers=transport.bindings())

    async def accept_answer(self, handle: TransportHandle, sdp: str) -> None:
        answer = _parse(sdp)
        transport = self._transports.get(handle)
        if transport is None:
            return
        async with transport.lock:
            if transport.link is None:
                raise BadSdp("this transport has no offer to answer")
            await transport.link.accept(answer)
            self._rewire(transport)
            await self._flush_candidates(transport)

    def add_candidates(self, handle: TransportHandle, candidates: Sequence[Candidate]) -> None:
        transport = self._transports.get(handle)
        if transport is None or not transport.keep(candidates):
            return
        self._spawn(self._trickle(transport), f"candidates of {handle.peer}/{handle.transport}")

    # producers and consumers

    def produce(
        self, handle: TransportHandle, producer: str, kind: Kind, mid: str | None, paused: bool
    ) -> None:
        if self._closed or kind not in self.kinds or (handle.room, producer) in self._producers:
            return
        transport = self._transport(handle)
        made = Producer(producer, kind, mid, paused, transport)
        self._producers[handle.room, producer] = transport.producers[producer] = made
        self._rewire(transport)

    def consume(
        self, handle: TransportHandle, consumer: str, producer: str, kind: Kind, paused: bool
    ) -> str | None:
        if self._closed or kind not in self.kinds:
            return None
        known = self._consumers.get((handle.room, consumer))
        if known is not None:
            return known.mid
        transport = self._transport(handle)
        made = Consumer(consumer, producer, kind, paused, transport)
        self._consumers[handle.room, consumer] = transport.consumers[consumer] = made
        self._audiences.setdefault((handle.room, producer), {})[consumer] = made
        self._rewire(transport)
        return made.mid

    def pause_producer(self, room: str, producer: str, paused: bool) -> None:
        found = self._producers.get((room, producer))
        if found is not None:
            found.paused = paused
            self._plug(room, [producer])

    def move_producer(self, room: str, producer: str, mid: str) -> None:
        found = self._producers.get((room, producer))
        if found is not None:
            found.wanted_mid, found.mid = mid, None
            self._rewire(found.transport)

    def pause_consumer(self, room: str, consumer: str, paused: bool) -> None:
        found = self._consumers.get((room, consumer))
        if found is not None:
            found.paused = paused
            self._plug(room, [found.producer])

    def close_producer(self, room: str, producer: str) -> None:
        """Closes the producer and its consumers."""
        for consumer in list(self._audience(room, producer)):
            self.close_consumer(room, consumer.id)
        found = self._producers.pop((room, producer), None)
        if found is not None:
            found.transport.producers.pop(producer, None)
            self._rewire(found.transport)

    def close_consumer(self, room: str, consumer: str) -> None:
        found = self._consumers.pop((room, consumer), None)
        if found is not None:
            found.transport.consumers.pop(consumer, None)
            audience = self._audiences[room, found.producer]
            del audience[consumer]
            if not audience:
                del self._audiences[room, found.producer]
            self._plug(room, [found.producer])
            self._rewire(found.transport)

    def close_transport(self, handle: TransportHandle) -> None:
        """Closes the transport with its producers, their consumers, and its own consumers."""
        transport = self._transports.pop(handle, None)
        if transport is None:
            return
        transport.closed = True
        for consumer in list(transport.consumers):
            self.close_consumer(handle.room, consumer)
        for producer in list(transport.producers):
            self.close_producer(handle.room, producer)
        if transport.link is not None:
            self._retire(transport.link)
            transport.link = None
            self._report(handle, "closed")

    def stats(self) -> dict[str, int]:
        return {
            "transports": sum(transport.link is not None for transport in self._transports.values()),
            "producers": len(self._producers),
            "consumers": len(self._consumers),
            "framesForwarded": self._forwarded + sum(source.forwarded for source in self._sources()),
        }

    async def close(self) -> None:
        """Closes every transport and waits until nothing of them is left."""
        self._closed = True
        for handle in list(self._transports):
            self.close_transport(handle)
        while self._tasks:
            await asyncio.wait(self._tasks)

    # details

    def _transport(self, handle: TransportHandle) -> Transport:
        if handle not in self._transports:
            if self._closed:
                raise MediaUnavailable("the media node is shutting down")
            self._transports[handle] = Transport(handle)
        return self._transports[handle]

    def _alive(self, transport: Transport) -> None:
        if transport.closed:
            raise MediaUnavailable("the transport was closed meanwhile")

    def _new_link(self, transport: Transport) -> Link:
        def on_state(link: Link, state: TransportState) -> None:
            if transport.link is not link:
                return
            if state == "closed":  # the client closed its end
                transport.link = None
                self._retire(link)
                self._rewire(transport)
            self._report(transport.handle, state)

        return Link(self._addresses, self._timeline, on_state)

    @contextmanager
    def _adopting(self, transport: Transport, link: Link) -> Iterator[None]:
        """Takes the link if the block succeeds and the transport is still there; a new one is retired if not."""
        old = transport.link
        try:
            yield
            self._alive(transport)
        except BaseException:
            if link is not old:
                self._retire(link)
            self._alive(transport)
            raise
        self._adopt_link(transport, link)

    def _adopt_link(self, transport: Transport, link: Link) -> None:
        """Puts a freshly negotiated link in place, and what the transport sends and receives onto its
        sections.
        """
        if transport.link is not link:
            if transport.link is not None:
                self._retire(transport.link)
            transport.link = link
            self._report(transport.handle, "new")
            if link.state != "new":
                self._report(transport.handle, link.state)
        self._rewire(transport)

    def _retire(self, link: Link) -> None:
        self._forwarded += sum(source.forwarded for source in link.sources.values())
        self._spawn(link.close(), "closing a link")

    def _rewire(self, transport: Transport) -> None:
        """Names the sections of a transport anew, then plugs in whatever that concerns."""
        transport.assign()
        touched = {*transport.producers, *(consumer.producer for consumer in transport.consumers.values())}
        self._plug(transport.handle.room, touched)

    def _plug(self, room: str, producers: Iterable[str]) -> None:
        """Connects each producer's source with exactly the outlets that should have its frames now."""
        for name in producers:
            producer = self._producers.get((room, name))
            if producer is not None and producer.source is not None:
                audience = () if producer.paused else self._audience(room, name)
                outlets = [c.outlet for c in audience if c.outlet is not None and not c.paused]
                producer.source.plug(frozenset(outlets))

    def _audience(self, room: str, producer: str) -> Iterable[Consumer]:
        return self._audiences.get((room, producer), {}).values()

    def _sources(self) -> Iterable[FanOut]:
        for transport in self._transports.values():
            if transport.link is not None:
                yield from transport.link.sources.values()

    async def _trickle(self, transport: Transport) -> None:
        async with transport.lock:
            await self._flush_candidates(transport)

    async def _flush_candidates(self, transport: Transport) -> None:
        if transport.link is not None and transport.link.identity and not transport.closed:
            await transport.link.trickle(transport.take_candidates())

    def _report(self, handle: TransportHandle, state: TransportState) -> None:
        asyncio.get_running_loop().call_soon(self._events.transport_state, handle, state)

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _parse(sdp: str) -> Description:
    try:
        return Description.parse(sdp)
    except SdpError as error:
        raise BadSdp(str(error), error.line) from error
