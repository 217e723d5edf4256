"""Negotiation: a client's offer to the media node, be it by sdpOffer or in the flight of a join."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from palaver.protocol.errors import ProtocolError
from palaver.protocol.methods.transport import SdpOfferResult
from palaver.settings import LiveSettings
from palaver.signaling.ports import Answer, BadSdp, Direction, MediaNode, MediaUnavailable, TransportHandle
from palaver.signaling.sdp import check_sdp
from palaver.signaling.stream_router import StreamRouter

Within = Callable[[Awaitable[Answer]], Awaitable[Answer]]
"""Waits for a media node no longer than it may take; raises TimeoutError then, and has given it up."""


class Negotiation:
    def __init__(self, streams: StreamRouter, settings: LiveSettings, within: Within) -> None:
        self._within = within
        self._streams = streams
        self._settings = settings

    def check(self, sdp: str) -> None:
        """Raises ProtocolError too_large or bad_sdp."""
        check_sdp(sdp, self._settings.limits.sdp_bytes)

    async def offer(
        self, media: MediaNode, handle: TransportHandle, direction: Direction, sdp: str
    ) -> Answer:
        """The media node's answer. Raises ProtocolError bad_sdp (with the line, where known), media_unavailable or timeout."""
        try:
            return await self._within(media.accept_offer(handle, direction, sdp))
        except TimeoutError:
            raise ProtocolError("timeout", "the media node does not answer") from None
        except (BadSdp, MediaUnavailable) as error:
            raise refusal(error) from None

    def result(self, answer: Answer, generation: int, identity: str) -> SdpOfferResult:
        return SdpOfferResult(answer.sdp, generation, self._streams.ice_servers(identity), answer.consumers)


def refusal(error: BadSdp | MediaUnavailable) -> ProtocolError:
    """How a failure of the media node is told to the client."""
    if isinstance(error, MediaUnavailable):
        return ProtocolError("media_unavailable", str(error))
    where = {} if error.line is None else {"line": error.line}
    return ProtocolError("bad_sdp", str(error), path="$.sdp", **where)
