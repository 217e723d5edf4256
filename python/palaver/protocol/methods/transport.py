"""Params and results of TransportHandler: the WebRTC handshake."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta, Raw

from palaver.protocol.types import (
    Candidate,
    CandidateLine,
    DtlsParameters,
    Generation,
    IceServer,
    Name,
    Params,
    Result,
    Sdp,
    Text,
)


class SdpOffer(Params):
    transport: Name
    direction: Literal["send", "recv", "p2p"]
    sdp: Sdp
    generation: Generation
    to: Name | None = None


class PeerOffer(Params):
    """An offer for a peer. Its SDP is as the sender encoded it, and sound: it can be passed on as it stands."""

    transport: Name
    direction: Literal["p2p"]
    sdp: Raw
    generation: Generation
    to: Name


class SdpOfferResult(Result):
    sdp: str
    generation: int
    ice_servers: list[IceServer]
    consumers: dict[str, str] = {}


class Delivered(Result):
    delivered: bool


DELIVERED: Final = Delivered(True)


class SdpAnswer(Params):
    transport: Name
    sdp: Sdp
    generation: Generation
    to: Name | None = None


class PeerAnswer(Params):
    """An answer for a peer, its SDP likewise."""

    transport: Name
    sdp: Raw
    generation: Generation
    to: Name


class IceCandidate(Params):
    transport: Name
    generation: Generation
    candidates: Annotated[list[Candidate | CandidateLine], Meta(max_length=32)] = []
    to: Name | None = None
    end: bool = False


class ConnectTransport(Params):
    transport: Name
    dtls: DtlsParameters


class ConnectTransportResult(Result):
    state: Literal["new", "connecting", "connected", "failed", "closed"]


class IceRestart(Params):
    transport: Name
    reason: Text = ""
    to: Annotated[Name | None, Meta(description="The other peer of a peer-to-peer transport.")] = None


class IceRestartResult(Result):
    generation: Annotated[int, Meta(description="What the next offer is to carry.")]
    ice_servers: list[IceServer]
    sdp: str | None = None
