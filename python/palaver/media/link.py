"""One peer connection of a transport, from the offer that began it to its end.

A section of the description that brings media is a `FanOut`, one that takes media away is an `Outlet`. Both
stay what they are for the life of the link (RFC 8829 § 5.2.2: media sections are never removed).

The caller must not run two negotiations at once, and must `close` every link.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import get_args

from aiortc import MediaStreamTrack, RTCRtpTransceiver

from palaver.rtc import (
    AnyCandidate,
    Description,
    FanOut,
    Outlet,
    Section,
    Timeline,
    add_candidates,
    apply_description,
    close_connection,
    peer_connection,
)
from palaver.signaling.ports import BadSdp, Direction, MediaUnavailable, TransportState

CONNECT_SECONDS = 30.0
"""A link that has not connected by then has failed: browsers give up after 15 to 30 s (RFC 8445 § 14.3)."""
MAX_TRICKLED = 128
"""Trickled candidates used per link; every one costs connectivity checks."""

_STATES: dict[str, TransportState] = {s: s for s in get_args(TransportState)}


class Link:
    """`on_state` is called on the loop with each new state; after "closed" the link is of no more use."""

    def __init__(
        self, addresses: Sequence[str], timeline: Timeline, on_state: Callable[[Link, TransportState], None]
    ) -> None:
        self.sources: dict[str, FanOut] = {}
        """By mid: what the client sends."""
        self.outlets: dict[str, Outlet] = {}
        """By mid: what the client receives, whether or not something is plugged in."""
        self.identity: tuple[str, ...] = ()
        self.state: TransportState = "new"
        self._sections: list[tuple[str, str]] = []
        self._receiving: set[str] = set()
        self._addresses = tuple(addresses)
        self._timeline = timeline
        self._on_state = on_state
        self._trickled = 0
        self._closed = False
        self._pc = peer_connection(addresses=addresses)
        self._pc.on("connectionstatechange", self._state_changed)
        self._deadline = asyncio.get_running_loop().call_later(CONNECT_SECONDS, self._give_up)

    # negotiation

    async def answer(self, offer: Description, direction: Direction) -> str:
        """Applies an offer and returns the answer. A refused re-offer leaves the link as it was.

        Raises: BadSdp, MediaUnavailable.
        """
        if self._pc.signalingState == "have-local-offer":
            raise BadSdp("this transport has an offer of the node that is not answered yet")
        self._check(offer)
        if self._sections:
            await self._rehearse(offer)
        with _refusing():
            await apply_description(self._pc, offer, "offer")
            for transceiver, section in self._by_section(offer):
                self._adopt(transceiver, section, direction)
            await self._pc.setLocalDescription()
        self._settle(offer)
        return self._local_sdp()

    async def offer(self, kinds: Sequence[str]) -> str:
        """Makes the node's own offer with one more section for each of `kinds`; their outlets exist from then
        on.
        """
        if self._pc.signalingState == "have-remote-offer":
            raise MediaUnavailable("this transport is being negotiated")
        for kind in kinds:
            self._pc.addTransceiver(Outlet(kind), direction="sendonly")
        if not self._pc.getTransceivers():
            raise MediaUnavailable("this transport has nothing to offer: it has no consumers")
        await self._pc.setLocalDescription()
        for transceiver in self._pc.getTransceivers():
            track, mid = transceiver.sender.track, transceiver.mid
            if isinstance(track, Outlet) and mid is not None and mid not in self.outlets:
                self.outlets[mid] = track
                self._receiving.add(mid)  # until the answer says otherwise
        self._sections = [(t.mid or "", t.kind) for t in self._pc.getTransceivers()]
        return self._local_sdp()

    async def accept(self, answer: Description) -> None:
        """Applies the answer to the last offer. Raises: BadSdp."""
        if self._pc.signalingState != "have-local-offer":
            raise BadSdp("this transport has no offer to answer")
        if [(s.mid, s.kind) for s in answer.sections] != self._sections:
            raise BadSdp("the media sections of the answer are not those of the offer")
        with _refusing():
            await apply_description(self._pc, answer, "answer")
        self._settle(answer)

    async def trickle(self, candidates: Sequence[AnyCandidate]) -> None:
        if self._trickled < MAX_TRICKLED and not self._closed:
            self._trickled += await add_candidates(self._pc, candidates, [mid for mid, _ in self._sections])

    def usable(self, mid: str) -> bool:
        """Whether the client still wants to receive on this section, and can."""
        outlet = self.outlets.get(mid)
        return outlet is not None and outlet.readyState == "live" and mid in self._receiving

    async def close(self) -> None:
        """Ends everything the link has started."""
        self._closed = True
        self._deadline.cancel()
        for source in self.sources.values():
            source.stop()
        for outlet in self.outlets.values():
            outlet.stop()
        await close_connection(self._pc)

    # details

    def _check(self, offer: Description) -> None:
        for section in offer.sections:
            if section.kind == "application":
                raise BadSdp("data channels are not carried by this media node", section.line)
        was, now = self._sections, [(s.mid, s.kind) for s in offer.sections]
        if now[: len(was)] != was:
            raise BadSdp("media sections were removed or reordered since the last offer (RFC 8829 § 5.2.2)")

    async def _rehearse(self, offer: Description) -> None:
        """aiortc changes itself before it finds the fault of a description: let it fail on another connection
        first.
        """
        stand_in = peer_connection(addresses=self._addresses)
        try:
            with _refusing():
                await apply_description(stand_in, offer, "offer")
                await stand_in.createAnswer()
        finally:
            await close_connection(stand_in)

    def _by_section(self, description: Description) -> list[tuple[RTCRtpTransceiver, Section]]:
        sections = {section.mid: section for section in description.sections}
        return [(t, sections[t.mid]) for t in self._pc.getTransceivers() if t.mid in sections]

    def _adopt(self, transceiver: RTCRtpTransceiver, section: Section, direction: Direction) -> None:
        """Decides what a section offered by the client is for."""
        mid = section.mid
        brings = section.direction == "sendonly" or (section.direction != "recvonly" and direction == "send")
        if mid not in self.sources and mid not in self.outlets:
            if brings:
                track = transceiver.receiver.track
                if isinstance(track, MediaStreamTrack):
                    self.sources[mid] = FanOut(track, self._timeline)
            else:
                self.outlets[mid] = Outlet(section.kind)
                transceiver.sender.replaceTrack(self.outlets[mid])
        transceiver.direction = "sendonly" if mid in self.outlets else "recvonly"

    def _settle(self, remote: Description) -> None:
        self._sections = [(section.mid, section.kind) for section in remote.sections]
        self._receiving = {s.mid for s in remote.sections if s.direction in ("recvonly", "sendrecv")}
        self.identity = remote.identity

    def _local_sdp(self) -> str:
        sdp: str = self._pc.localDescription.sdp
        if "\na=candidate:" not in sdp:
            raise MediaUnavailable("no local address to gather candidates on")
        return sdp

    def _state_changed(self) -> None:
        state = _STATES[self._pc.connectionState]
        if state in ("connected", "closed"):
            self._deadline.cancel()
        if not self._closed and state != self.state:
            self.state = state
            self._on_state(self, self.state)

    def _give_up(self) -> None:
        if self.state in ("new", "connecting") and not self._closed:
            self.state = "failed"
            self._on_state(self, "failed")


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    """aiortc has no exception of its own for a bad description: it asserts, looks up, and raises what comes
    of it.
    """
    try:
        yield
    except Exception as error:
        raise BadSdp(f"the description cannot be applied: {error or type(error).__name__}") from error
