"""One peer-to-peer call: a peer connection with one other participant."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aiortc import MediaStreamTrack
from msgspec import Struct

from palaver.client.errors import MediaEnded
from palaver.client.subscription import BACKLOG
from palaver.client.transport import new_connection
from palaver.rtc import Description, FanOut, Outlet, add_candidates, apply_description, close_connection

if TYPE_CHECKING:
    from palaver.client.media import Media


class _Candidate(Struct, frozen=True):
    candidate: str
    sdpMid: str | None = None
    sdpMLineIndex: int | None = None


class PeerCall:
    """Made by `client.media.calls`. Remote tracks are in `tracks` once connected; `on_track` hears of each."""

    def __init__(self, media: Media, peer: str, drop: Callable[[PeerCall], Awaitable[None]]) -> None:
        self.peer = peer
        self.tracks: list[MediaStreamTrack] = []
        """What the peer sends; each ends (MediaStreamError) when the call does."""
        self.on_track: Callable[[MediaStreamTrack], None] = lambda track: None
        self.on_state: Callable[[str], None] = lambda state: None
        self.ended = asyncio.Event()
        self.lock = asyncio.Lock()
        self.yielded = False
        self._media = media
        self._drop = drop
        self._generation = 0
        self._sent: list[tuple[MediaStreamTrack, Outlet | None]] = []
        self._mids: list[str] = []
        self._early: list[_Candidate] = []
        self._changed = asyncio.Event()
        self._begin()

    @property
    def state(self) -> str:
        """new, connecting, connected, failed or closed."""
        return "closed" if self.ended.is_set() else str(self._pc.connectionState)

    @property
    def offering(self) -> bool:
        """Whether an offer of ours waits for its answer."""
        return str(self._pc.signalingState) == "have-local-offer"

    async def connected(self, seconds: float = 30.0) -> None:
        """Waits until media can flow. Raises: MediaEnded."""
        try:
            async with asyncio.timeout(seconds):
                while self.state != "connected":
                    if self.state in ("failed", "closed"):
                        raise MediaEnded(f"the call with {self.peer} is {self.state}")
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise MediaEnded(f"the call with {self.peer} did not connect in {seconds:g} s") from None

    def send(self, *tracks: MediaStreamTrack) -> None:
        """Sends these tracks, each over a free section of its kind: without a new offer, one of each kind
        fits.
        """
        self._sent += [(track, None) for track in tracks]
        self._attach()

    def stop_sending(self, track: MediaStreamTrack) -> None:
        for sent, outlet in self._sent:
            if sent is track and outlet is not None:
                self._media.sources.forget(track, outlet)
        self._sent = [(sent, outlet) for sent, outlet in self._sent if sent is not track]

    async def close(self) -> None:
        """Ends the call; the tracks that were sent stay yours. The peer sees its connection close."""
        await self._drop(self)

    # for PeerCalls, which holds the lock

    async def offer(self) -> dict[str, Any]:
        """Returns the fields of an sdpOffer: both kinds, so that a track can be added later without a new
        one.
        """
        have = {t.kind for t in self._pc.getTransceivers()}
        wanted = [track.kind for track, outlet in self._sent if outlet is None]
        for kind in [*wanted, *({"audio", "video"} - have - set(wanted))]:
            self._pc.addTransceiver(Outlet(kind), "sendrecv")
        self._attach()
        await self._pc.setLocalDescription(await self._pc.createOffer())
        self._generation += 1
        return {"sdp": self._pc.localDescription.sdp, "generation": self._generation}

    async def answer(self, sdp: str, generation: int) -> dict[str, Any]:
        """Takes an offer, with a new peer connection where this one cannot, and returns the fields of an
        sdpAnswer.
        """
        description = Description.parse(sdp)
        anew = self._identity not in ((), description.identity)
        if anew or self._pc.signalingState != "stable" or self._pc.connectionState in ("failed", "closed"):
            await self._restart()
        self.yielded = False
        self._generation = generation
        await apply_description(self._pc, description, "offer")
        for transceiver in self._pc.getTransceivers():
            if not isinstance(transceiver.sender.track, Outlet):
                transceiver.sender.replaceTrack(Outlet(transceiver.kind))
            transceiver.direction = "sendrecv"
        self._attach()
        await self._pc.setLocalDescription(await self._pc.createAnswer())
        await self._settle(description)
        return {"sdp": self._pc.localDescription.sdp, "generation": generation}

    async def accept(self, sdp: str, generation: int) -> None:
        """Takes the answer to our last offer; an older one is ignored."""
        if generation == self._generation and self._pc.signalingState == "have-local-offer":
            description = Description.parse(sdp)
            await apply_description(self._pc, description, "answer")
            await self._settle(description)

    async def trickle(self, candidates: Sequence[str | Mapping[str, Any]]) -> None:
        for one in candidates:
            wire: Mapping[str, Any] = {"candidate": one} if isinstance(one, str) else one
            self._early.append(
                _Candidate(wire.get("candidate", ""), wire.get("sdpMid"), wire.get("sdpMLineIndex"))
            )
        if self._identity and not self.ended.is_set():
            early, self._early = self._early, []
            await add_candidates(self._pc, early, self._mids)
        del self._early[:-64]

    async def end(self) -> None:
        if not self.ended.is_set():
            self.ended.set()
            await self._shut()
            self._changed.set()
            self.on_state("closed")

    # details

    def _begin(self) -> None:
        self._pc = pc = new_connection(self._media.client)
        self._identity: tuple[str, ...] = ()
        self._incoming: dict[MediaStreamTrack, FanOut] = {}

        def on_state() -> None:
            if pc is self._pc and not self.ended.is_set():
                self._changed.set()
                self.on_state(self.state)
                if pc.connectionState == "closed":
                    self._media.spawn(self.close(), f"end of the call with {self.peer}")

        def on_track(track: MediaStreamTrack) -> None:
            outlet = Outlet(track.kind, BACKLOG[track.kind])
            self._incoming[track] = FanOut(track, self._media.timeline)
            self._incoming[track].plug(frozenset([outlet]))
            self.tracks.append(outlet)
            self.on_track(outlet)

        pc.on("connectionstatechange", on_state)
        pc.on("track", on_track)

    async def _restart(self) -> None:
        old = self._pc
        await self._shut(close=False)
        self._begin()
        await close_connection(old)

    async def _shut(self, *, close: bool = True) -> None:
        for track, outlet in self._sent:
            if outlet is not None:
                self._media.sources.forget(track, outlet)
        self._sent = [(track, None) for track, _ in self._sent]
        for fanout in self._incoming.values():
            fanout.stop()
        for track in self.tracks:
            track.stop()
        self.tracks = []
        if close:
            await close_connection(self._pc)

    async def _settle(self, remote: Description) -> None:
        self._identity, self._mids = remote.identity, remote.mids
        await self.trickle([])

    def _attach(self) -> None:
        """Plugs each track that has no section yet into a free one."""
        outlets = [t.sender.track for t in self._pc.getTransceivers() if isinstance(t.sender.track, Outlet)]
        taken = {outlet for _, outlet in self._sent}
        for i, (track, outlet) in enumerate(self._sent):
            free = [o for o in outlets if o not in taken and o.kind == track.kind] if outlet is None else []
            if free:
                taken.add(free[0])
                self._sent[i] = (track, free[0])
                self._media.sources.plug(track, free[0])
