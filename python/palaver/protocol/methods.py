"""Params and results of the methods, handler by handler (docs/protocol.md § 5). METHODS at the end is the whole list."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

from msgspec import Meta

from palaver.protocol.types import (
    Attributes,
    Candidate,
    CandidateLine,
    Clock,
    Count,
    DtlsParameters,
    Encoding,
    Generation,
    IceServer,
    Kind,
    Millis,
    Name,
    Params,
    Result,
    Role,
    Sdp,
    Source,
    Text,
    Token,
)

Ids = Annotated[list[Name], Meta(min_length=1, max_length=1000)]


class Empty(Result):
    pass


# --- AuthHandler ---


class ClientInfo(Params):
    sdk: Text = ""
    version: Text = ""
    os: Text = ""


class Auth(Params):
    token: Token
    client: ClientInfo | None = None


class AuthResult(Result, omit_defaults=False):
    session: str
    identity: str
    name: str
    grants: dict[str, Any]
    expires_at: int
    server: dict[str, str]
    ping_ms: int
    grace_ms: int
    limits: dict[str, int]


# --- SessionHandler ---


class Resume(Params):
    ticket: Name
    last_seq: Count


class JoinOffer(Params):
    transport: Name
    sdp: Sdp
    generation: Generation = 1
    direction: Literal["send", "recv"] = "send"


class CreateProducer(Params):
    transport: Name
    kind: Kind
    source: Source
    id: Name | None = None
    mid: Name | None = None
    encodings: Annotated[list[Encoding], Meta(max_length=8)] = []
    paused: bool = False
    label: Text = ""
    allow: Annotated[list[Name], Meta(max_length=1000)] | None = None


class Join(Params):
    room: Name
    token: Token | None = None
    name: Name | None = None
    attributes: Attributes | None = None
    subscribe: Literal["auto", "none"] = "auto"
    on_duplicate: Literal["replace", "reject"] = "replace"
    resume: Resume | None = None
    producers: Annotated[list[CreateProducer], Meta(max_length=32)] = []
    offer: JoinOffer | None = None


class SessionInfo(Result):
    id: str
    ticket: str
    ping_ms: int
    grace_ms: int


class You(Result):
    peer: str
    identity: str
    role: Role
    grants: dict[str, Any]


class PeerInfo(Result):
    peer: str
    identity: str
    role: Role
    name: str = ""
    attributes: dict[str, str] = {}
    suspended: bool = False


class ProducerInfo(Result):
    id: str
    peer: str
    kind: Kind
    source: Source
    paused: Annotated[bool, Meta(description="Whether it is paused by its owner or a moderator.")]
    label: str = ""
    mid: str | None = None


class RoomHead(Result, omit_defaults=False):
    id: str
    epoch: int
    locked: bool
    attributes: dict[str, str]
    version: int


class JoinAnswer(Result):
    transport: str
    sdp: str
    generation: int


class JoinResult(Result):
    session: SessionInfo
    you: You
    room: RoomHead
    peers: list[PeerInfo]
    producers: list[ProducerInfo]
    ice_servers: list[IceServer]
    seq: int
    resumed: bool
    missed: list[Any] | Literal["snapshot"] | None = None
    answer: JoinAnswer | None = None


class Leave(Params):
    reason: Text = ""


class Disconnect(Params):
    keep: bool = True


class DisconnectResult(Result):
    grace_until: Annotated[int | None, Meta(description="Milliseconds since the Unix epoch.")] = None


class Heartbeat(Params):
    t: Clock
    rtt_ms: Millis | None = None
    seq_seen: Count | None = None


class HeartbeatResult(Result):
    t: int | float
    server_time: int
    seq: int


class RoomInfo(Params):
    room: Name | None = None
    fields: Annotated[list[Literal["counts", "peers", "producers"]], Meta(max_length=3)] | None = None
    cursor: Name | None = None
    if_version: Count | None = None


class RoomInfoResult(Result):
    room: RoomHead
    version: int
    counts: dict[str, int] | None = None
    peers: list[PeerInfo] | None = None
    producers: list[ProducerInfo] | None = None
    cursor: str | None = None


class Unchanged(Result):
    unchanged: bool


# --- ProducerHandler ---


class CreateProducerResult(Result):
    id: str
    paused: bool
    layers: list[Encoding]
    limits: dict[str, int]


class CloseProducer(Params):
    id: Name
    reason: Text = ""


class ById(Params):
    id: Name


class Changed(Result):
    changed: bool


class PauseBits(Result):
    self: bool
    moderator: bool


class PauseProducerResult(Result):
    paused: PauseBits
    changed: bool


# --- ConsumerHandler ---


class ConsumerItem(Params):
    producer: Name
    transport: Name | None = None
    id: Name | None = None
    layers: dict[Name, Count] | None = None
    priority: Annotated[int, Meta(ge=0, le=255)] | None = None
    paused: bool = True


class CreateConsumer(Params):
    producer: Name | None = None
    transport: Name | None = None
    id: Name | None = None
    layers: dict[Name, Count] | None = None
    priority: Annotated[int, Meta(ge=0, le=255)] | None = None
    paused: bool = True
    items: Annotated[list[ConsumerItem], Meta(min_length=1, max_length=200)] | None = None


class CreateConsumerResult(Result):
    id: str
    producer: str
    kind: Kind
    producer_paused: bool
    paused: bool
    mid: str | None = None


class CreateConsumersResult(Result):
    items: list[Any]


class ByIds(Params):
    id: Name | None = None
    ids: Ids | None = None


# --- TransportHandler ---


class SdpOffer(Params):
    transport: Name
    direction: Literal["send", "recv", "p2p"]
    sdp: Sdp
    generation: Generation
    to: Name | None = None


class SdpOfferResult(Result):
    sdp: str
    generation: int
    ice_servers: list[IceServer]
    consumers: dict[str, str] = {}


class Delivered(Result):
    delivered: bool


class SdpAnswer(Params):
    transport: Name
    sdp: Sdp
    generation: Generation
    to: Name | None = None


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


# --- MediaControlHandler ---


class MuteTarget(Params):
    peer: Name | None = None
    producer: Name | None = None
    all_except: Annotated[list[Name], Meta(max_length=1000)] | None = None
    source: Source | None = None


class Mute(Params):
    target: Literal["self"] | MuteTarget


class MuteResult(Result):
    affected: Annotated[int, Meta(description="Producers whose effective state changed.")]
    asked: Annotated[int, Meta(description="Participants that were asked to unmute themselves.")]


# --- DiagnosticsHandler ---


class DebugPing(Params):
    target: Literal["node", "owner", "media"] = "node"
    hops: Annotated[int, Meta(ge=0, le=16)] | None = None
    pad: Annotated[str, Meta(max_length=64 * 1024)] | None = None


class DebugPingResult(Result, omit_defaults=False):
    server_time: int
    owner: str | None
    epoch: int | None
    load: dict[str, int]
    path: list[dict[str, Any]] = []


class Method(NamedTuple):
    handler: str
    params: type[Params]
    rate: Literal["candidate", "request", "ping", "stats"] = "request"


METHODS: dict[str, Method] = {
    "auth": Method("AuthHandler", Auth),
    "join": Method("SessionHandler", Join),
    "leave": Method("SessionHandler", Leave),
    "disconnect": Method("SessionHandler", Disconnect),
    "heartbeat": Method("SessionHandler", Heartbeat),
    "roomInfo": Method("SessionHandler", RoomInfo),
    "createProducer": Method("ProducerHandler", CreateProducer),
    "closeProducer": Method("ProducerHandler", CloseProducer),
    "pauseProducer": Method("ProducerHandler", ById),
    "resumeProducer": Method("ProducerHandler", ById),
    "createConsumer": Method("ConsumerHandler", CreateConsumer),
    "closeConsumer": Method("ConsumerHandler", ByIds),
    "pauseConsumer": Method("ConsumerHandler", ByIds),
    "resumeConsumer": Method("ConsumerHandler", ByIds),
    "sdpOffer": Method("TransportHandler", SdpOffer),
    "sdpAnswer": Method("TransportHandler", SdpAnswer),
    "iceCandidate": Method("TransportHandler", IceCandidate, "candidate"),
    "connectTransport": Method("TransportHandler", ConnectTransport),
    "mute": Method("MediaControlHandler", Mute),
    "unmute": Method("MediaControlHandler", Mute),
    "debugPing": Method("DiagnosticsHandler", DebugPing, "ping"),
}
