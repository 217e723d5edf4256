"""One peer connection with the media node, and its offers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from aiortc import RTCPeerConnection, RTCRtpTransceiver

from palaver.client.errors import MediaEnded
from palaver.rtc import (
    Description,
    IceServer,
    SdpError,
    apply_description,
    close_connection,
    peer_connection,
    with_loopback,
)

if TYPE_CHECKING:
    from palaver.client.client import Client


def new_connection(client: Client) -> RTCPeerConnection:
    """Makes a peer connection with the room's ICE servers, on the client's addresses.

    Where none were chosen: all of the host, and loopback too if the node is reached over it.
    """
    servers = [IceServer(s["urls"], s.get("username"), s.get("credential")) for s in client.room.ice_servers]
    return peer_connection(servers, client.addresses or (with_loopback() if _on_loopback(client.url) else ()))


def _on_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


class NodeTransport:
    """`on_state` is called with each new state of the connection. You must `close` it."""

    def __init__(
        self, client: Client, name: str, direction: Literal["send", "recv"], on_state: Callable[[str], None]
    ) -> None:
        self.name = name
        self.pc = new_connection(client)
        self.bindings: dict[str, str] = {}
        """Consumer → mid, as of the last answer."""
        self.closed = False
        self._client = client
        self._direction = direction
        self._generation = 0
        self._lock = asyncio.Lock()
        self._asked = 0
        self._done = 0
        self.pc.on(
            "connectionstatechange", lambda: None if self.closed else on_state(self.pc.connectionState)
        )

    @property
    def state(self) -> str:
        return str(self.pc.connectionState)

    def transceiver(self, mid: str) -> RTCRtpTransceiver | None:
        return next((t for t in self.pc.getTransceivers() if t.mid == mid), None)

    async def negotiate(self) -> None:
        """Offers what the connection has now. Who asks while an offer is under way shares the next one.

        Raises: what `Client.call` raises; MediaEnded.
        """
        self._asked += 1
        mine = self._asked
        async with self._lock:
            if self._done >= mine:
                return
            covers = self._asked
            await self._offer()
            self._done = covers

    async def _offer(self) -> None:
        if self.closed:
            raise MediaEnded("the transport is closed")
        await self.pc.setLocalDescription(await self.pc.createOffer())
        self._generation += 1
        answer: dict[str, Any] = await self._client.call(
            "sdpOffer",
            transport=self.name,
            direction=self._direction,
            sdp=self.pc.localDescription.sdp,
            generation=self._generation,
        )
        if self.closed:
            raise MediaEnded("the transport was closed meanwhile")
        try:
            await apply_description(self.pc, Description.parse(answer["sdp"]), "answer")
        except SdpError as error:
            raise MediaEnded(f"the node's answer cannot be applied: {error}") from error
        self.bindings = dict(answer.get("consumers", {}))

    async def close(self) -> None:
        if not self.closed:
            self.closed = True
            await close_connection(self.pc)
