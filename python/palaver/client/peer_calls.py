"""Peer-to-peer calls: offers, answers and candidates go through the room, media goes directly.

Both sides may offer at once; then the peer with the smaller id yields (protocol § 5, sdpOffer). aiortc cannot
take an offer back, so yielding means to begin with a new peer connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from aiortc import MediaStreamTrack

from palaver.client.errors import MediaEnded, RequestRefused
from palaver.client.events import Event
from palaver.client.peer_call import PeerCall

if TYPE_CHECKING:
    from palaver.client.media import Media

TRANSPORT = "p2p"
"""The transport id of calls, the same on both sides: a pair of peers and a transport id name one connection.
"""

Answering = Callable[[PeerCall], Sequence[MediaStreamTrack]]

_log = logging.getLogger(__name__)


class PeerCalls:
    def __init__(self, media: Media) -> None:
        self.open: dict[str, PeerCall] = {}
        """By peer."""
        self._media = media
        self._answering: Answering | None = None
        self._turns: dict[str, asyncio.Task[None]] = {}
        client = media.client
        self._deaf = [
            client.on("transportOffer", lambda e: self._in_turn(e, self._offered)),
            client.on("transportAnswer", lambda e: self._in_turn(e, self._answered)),
            client.on("transportIce", lambda e: self._in_turn(e, self._candidates)),
            client.on("peerLeft", self._peer_left),
            client.on("rejoined", lambda e: self._all_gone()),
        ]

    def answer(self, answering: Answering | None) -> None:
        """From now on answers whoever calls. `answering` gets each new call and returns the tracks to send
        back.
        """
        self._answering = answering

    async def call(self, peer: str, tracks: Sequence[MediaStreamTrack] = ()) -> PeerCall:
        """Calls a peer of the room. If it calls us at the same moment the two become one call."""
        if peer not in self._media.client.room.peers:
            raise MediaEnded(f"there is no peer {peer} in the room")
        call = self._new(peer)
        call.send(*tracks)
        try:
            await self._make_offer(call)
        except BaseException:
            await self._drop(call)
            raise
        return call

    async def close(self) -> None:
        for stop in self._deaf:
            stop()
        turns = list(self._turns.values())
        for turn in turns:
            turn.cancel()
        if turns:
            await asyncio.wait(turns)
        await asyncio.gather(*(self._drop(call) for call in list(self.open.values())))

    # details

    def _new(self, peer: str) -> PeerCall:
        if peer in self.open:
            raise MediaEnded(f"there is a call with {peer} already")
        self.open[peer] = PeerCall(self._media, peer, self._drop)
        return self.open[peer]

    async def _drop(self, call: PeerCall) -> None:
        if self.open.get(call.peer) is call:
            del self.open[call.peer]
        await call.end()

    async def _make_offer(self, call: PeerCall) -> None:
        async with call.lock:
            sdp = await call.offer()
            try:
                await self._media.client.call(
                    "sdpOffer", transport=TRANSPORT, direction="p2p", to=call.peer, **sdp
                )
            except RequestRefused as error:
                if error.reason not in ("conflict", "stale_generation"):
                    raise
                call.yielded = True  # the other's offer wins, or is newer, and is on its way

    def _in_turn(self, event: Event, step: Callable[[Event], Any]) -> None:
        """One step for each peer at a time, in the order of the events."""
        if event["transport"] != TRANSPORT:
            return
        peer = event["from"]
        before = self._turns.get(peer)

        async def turn() -> None:
            if before is not None:
                await asyncio.wait([before])
            try:
                await step(event)
            except Exception as error:
                _log.warning("%s of %s failed: %r", event.name, peer, error)
            finally:
                if self._turns.get(peer) is task:
                    del self._turns[peer]

        task = asyncio.create_task(turn(), name=f"{event.name} of {peer}")
        self._turns[peer] = task

    async def _offered(self, event: Event) -> None:
        call = self.open.get(event["from"])
        if call is None:
            if self._answering is None:
                _log.info("%s calls, and nobody answers", event["from"])
                return
            call = self._new(event["from"])
            call.send(*self._answering(call))
        async with call.lock:
            if call.offering and not call.yielded and self._media.client.room.you.id > call.peer:
                return  # both offered, and ours wins
            answer = await call.answer(event["sdp"], event["generation"])
            await self._media.client.call("sdpAnswer", transport=TRANSPORT, to=call.peer, **answer)

    async def _answered(self, event: Event) -> None:
        call = self.open.get(event["from"])
        if call is not None:
            async with call.lock:
                await call.accept(event["sdp"], event["generation"])

    async def _candidates(self, event: Event) -> None:
        call = self.open.get(event["from"])
        if call is not None:
            await call.trickle(event.get("candidates", []))

    def _peer_left(self, event: Event) -> None:
        call = self.open.get(event["peer"])
        if call is not None:
            self._media.spawn(self._drop(call), f"end of the call with {call.peer}")

    def _all_gone(self) -> None:
        for call in list(self.open.values()):
            self._media.spawn(self._drop(call), f"end of the call with {call.peer}")
