"""W3C RTCIceCandidateInit (webrtc-pc § 4.8.1.1) in, aiortc's candidate out."""

from __future__ import annotations

from typing import Protocol

from aiortc import RTCIceCandidate
from aiortc.sdp import candidate_from_sdp

MAX_CANDIDATE_BYTES = 1024
"""RFC 8839 § 5.1 sets no bound; real candidates stay below 300 bytes."""


class AnyCandidate(Protocol):
    """Anything shaped like RTCIceCandidateInit."""

    @property
    def candidate(self) -> str: ...
    @property
    def sdpMid(self) -> str | None: ...  # noqa: N802 (the wire's name)
    @property
    def sdpMLineIndex(self) -> int | None: ...  # noqa: N802 (the wire's name)


def parse_candidate(text: str) -> RTCIceCandidate | None:
    """Returns the candidate, or None for one that we have no use for.

    No use: the empty string (end-of-candidates), a `.local` name (mDNS: resolving it would mean multicast
    from a server; the browser that hides behind it sends its checks to us anyway, and becomes
    peer-reflexive), anything but UDP, and what is not a candidate at all.
    """
    text = text.strip().removeprefix("a=").removeprefix("candidate:")
    if not text or len(text) > MAX_CANDIDATE_BYTES:
        return None
    try:
        candidate = candidate_from_sdp(text)
    except (ValueError, AssertionError):
        return None
    if candidate.ip.lower().endswith(".local") or candidate.protocol.lower() != "udp":
        return None
    return candidate


def mline_of(candidate: AnyCandidate, mids: list[str]) -> int | None:
    """Returns the index of the media section that a trickled candidate belongs to: by its mid, else by its
    index.
    """
    if candidate.sdpMid is not None and candidate.sdpMid in mids:
        return mids.index(candidate.sdpMid)
    return candidate.sdpMLineIndex
