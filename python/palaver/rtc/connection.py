"""Peer connections that contact nobody unasked, and the way descriptions and candidates get into them.

After making one you must `await pc.close()`, whatever became of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence

from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCSessionDescription,
)
from msgspec import Struct

from palaver.rtc.addresses import gathering_on
from palaver.rtc.candidates import AnyCandidate, mline_of, parse_candidate
from palaver.rtc.description import Description
from palaver.rtc.task_watch import Task, tasks_watched

CLOSE_SECONDS = 5.0
"""aiortc waits for its own tasks when it closes; none of them takes this long unless it hangs."""

_log = logging.getLogger(__name__)


class IceServer(Struct, frozen=True, omit_defaults=True):
    """W3C RTCIceServer."""

    urls: str | list[str]
    username: str | None = None
    credential: str | None = None


class _PeerConnection(RTCPeerConnection):
    """Gathers on its own addresses, and can be closed at any moment.

    aiortc connects in tasks that it starts whenever a description is set. One that is under way when the
    connection closes goes on: it starts consent checks, RTCP and a decoder thread that nobody will ever stop.
    So those tasks are recorded, and closing ends them first.
    """

    def __init__(self, configuration: RTCConfiguration, addresses: tuple[str, ...]) -> None:
        super().__init__(configuration)
        self._gather_on = addresses
        self._connecting: set[Task] = set()
        self._gathering = asyncio.Lock()

    async def setLocalDescription(self, sessionDescription: RTCSessionDescription | None = None) -> None:  # noqa: N802
        """aiortc gathers candidates only here."""
        async with self._gathering:
            with gathering_on(self._gather_on), tasks_watched(self._started):
                await super().setLocalDescription(sessionDescription)

    async def setRemoteDescription(self, sessionDescription: RTCSessionDescription) -> None:  # noqa: N802
        with tasks_watched(self._started):
            await super().setRemoteDescription(sessionDescription)

    async def close(self) -> None:
        async with self._gathering:  # or sockets would be opened after all were closed
            connecting = {task for task in self._connecting if task is not asyncio.current_task()}
            while connecting:
                for task in connecting:
                    task.cancel()
                # Again: before Python 3.12 wait_for, in which a handshake waits, may swallow a cancellation.
                _, connecting = await asyncio.wait(connecting, timeout=0.05)
            await super().close()

    def _started(self, task: Task) -> None:
        self._connecting.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: Task) -> None:
        self._connecting.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, IndexError):
            # It came upon a section of the description that is just being set, and looked it up in the one
            # before. Setting a description starts a new task at its end, which then finds all sections.
            _log.debug("a new description came while connecting")
        elif error is not None:
            _log.warning("a peer connection failed while connecting", exc_info=error)


def peer_connection(
    ice_servers: Iterable[IceServer] = (), addresses: Sequence[str] = ()
) -> RTCPeerConnection:
    """Makes a peer connection that uses these STUN/TURN servers and no others.

    `addresses` are the local IP addresses to gather candidates on (name 127.0.0.1 for loopback); empty: every
    address of the host but loopback. All media goes over one transport (BUNDLE, RFC 9143), which every WebRTC
    client speaks.
    """
    servers = [RTCIceServer(s.urls, username=s.username, credential=s.credential) for s in ice_servers]
    # With iceServers=None aiortc would ask a public STUN server.
    configuration = RTCConfiguration(iceServers=servers, bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
    return _PeerConnection(configuration, tuple(addresses))


async def apply_description(pc: RTCPeerConnection, description: Description, kind: str) -> None:
    """Sets the remote description (`kind` is offer or answer), then its candidates.

    The candidates go in one by one because aiortc takes those of the bundle's last section, where browsers
    put none. End-of-candidates is never passed on: aioice would give up as soon as it has no pair left to
    try, but a peer behind mDNS names only becomes known by its own checks. Deadlines are the caller's.
    """
    await pc.setRemoteDescription(RTCSessionDescription(description.text, kind))
    for line in description.candidates:
        await _add(pc, line)


async def add_candidates(
    pc: RTCPeerConnection, candidates: Iterable[AnyCandidate], mids: Sequence[str]
) -> int:
    """Adds trickled candidates and returns how many were of use. Call it after a remote description is set.

    `mids` are those of the remote description. Candidates of a later section are those of a transport that
    BUNDLE does away with, and are ignored.
    """
    used = 0
    for candidate in candidates:
        if mline_of(candidate, list(mids)) in (None, 0):
            used += await _add(pc, candidate.candidate)
    return used


async def close_connection(pc: RTCPeerConnection) -> None:
    """Closes a peer connection; never raises, and waits CLOSE_SECONDS at most.

    Whoever waits may be cancelled, the closing not: one that is cut off half-way can never be taken up again.
    """
    closing = asyncio.create_task(pc.close(), name="closing a peer connection")
    await asyncio.wait([closing], timeout=CLOSE_SECONDS)
    if not closing.done():
        _log.warning("a peer connection does not close")
    elif not closing.cancelled() and closing.exception() is not None:
        _log.warning("a peer connection did not close cleanly", exc_info=closing.exception())


async def _add(pc: RTCPeerConnection, text: str) -> bool:
    candidate = parse_candidate(text)
    if candidate is None:
        return False
    candidate.sdpMLineIndex = 0
    await pc.addIceCandidate(candidate)
    return True
