"""METHODS: every method, its handler, its params and result, its rate class."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from palaver.protocol.methods.auth import (
    Auth,
    AuthResult,
    RefreshToken,
    RefreshTokenResult,
    ValidateToken,
    ValidateTokenResult,
)
from palaver.protocol.methods.consumer import (
    ByIds,
    CreateConsumer,
    CreateConsumerResult,
    CreateConsumersResult,
    PreferredLayers,
    PreferredLayersResult,
)
from palaver.protocol.methods.diagnostics import (
    ChaosInject,
    ChaosInjectResult,
    DebugPing,
    DebugPingResult,
    TraceEvent,
)
from palaver.protocol.methods.media_control import (
    MediaError,
    MediaErrorResult,
    Mute,
    MuteResult,
    NetworkQuality,
    NetworkQualityResult,
    Stats,
    StatsResult,
)
from palaver.protocol.methods.producer import (
    ById,
    Changed,
    ChangeEncoding,
    ChangeEncodingResult,
    CloseProducer,
    CreateProducer,
    CreateProducerResult,
    PauseProducerResult,
    ReplaceTrack,
)
from palaver.protocol.methods.room_admin import (
    KickUser,
    KickUserResult,
    LockRoom,
    SetRole,
    SetRoleResult,
    UnlockRoom,
    VersionResult,
)
from palaver.protocol.methods.session import (
    Disconnect,
    DisconnectResult,
    Empty,
    Heartbeat,
    HeartbeatResult,
    Join,
    JoinResult,
    Leave,
    RoomInfo,
    RoomInfoResult,
    Unchanged,
)
from palaver.protocol.methods.transport import (
    ConnectTransport,
    ConnectTransportResult,
    Delivered,
    IceCandidate,
    IceRestart,
    IceRestartResult,
    SdpAnswer,
    SdpOffer,
    SdpOfferResult,
)
from palaver.protocol.types import Params


class Method(NamedTuple):
    handler: str
    params: type[Params]
    result: Any
    """A Struct, or a union of them."""
    summary: str
    rate: Literal["candidate", "request", "ping", "stats"] = "request"


# fmt: off
METHODS: dict[str, Method] = {
    "auth": Method("AuthHandler", Auth, AuthResult, "Lets the session in on a token."),
    "validateToken": Method(
        "AuthHandler", ValidateToken, ValidateTokenResult, "Looks at a token and says what it would allow."
    ),
    "refreshToken": Method(
        "AuthHandler", RefreshToken, RefreshTokenResult, "Takes a newer token, or makes one."
    ),
    "join": Method("SessionHandler", Join, JoinResult, "Takes a seat in a room, or comes back to it."),
    "leave": Method("SessionHandler", Leave, Empty, "Gives the seat up."),
    "disconnect": Method(
        "SessionHandler",
        Disconnect,
        DisconnectResult | Empty,
        "Closes the socket and keeps the seat for the grace period.",
    ),
    "heartbeat": Method(
        "SessionHandler",
        Heartbeat,
        HeartbeatResult,
        "Shows that one is there, and compares clocks and numbers. What all have seen, the node does not keep for resume.",
    ),
    "roomInfo": Method(
        "SessionHandler",
        RoomInfo,
        RoomInfoResult | Unchanged,
        "Looks into one's own room, or with roomList into any.",
    ),
    "createProducer": Method(
        "ProducerHandler", CreateProducer, CreateProducerResult, "Begins to send a track."
    ),
    "closeProducer": Method(
        "ProducerHandler", CloseProducer, Changed, "Ends a track and what depends on it."
    ),
    "pauseProducer": Method(
        "ProducerHandler", ById, PauseProducerResult, "Sets one's bit of the two that pause a producer."
    ),
    "resumeProducer": Method("ProducerHandler", ById, PauseProducerResult, "Lifts one's bit of the two."),
    "replaceTrack": Method(
        "ProducerHandler", ReplaceTrack, Changed, "Puts another track behind the same producer."
    ),
    "changeEncoding": Method(
        "ProducerHandler", ChangeEncoding, ChangeEncodingResult, "Changes the encodings of a producer."
    ),
    "createConsumer": Method(
        "ConsumerHandler",
        CreateConsumer,
        CreateConsumerResult | CreateConsumersResult,
        "Begins to receive a producer, or many.",
    ),
    "closeConsumer": Method("ConsumerHandler", ByIds, Changed, "Ends receiving."),
    "pauseConsumer": Method("ConsumerHandler", ByIds, Changed, "Stops the frames of a consumer."),
    "resumeConsumer": Method("ConsumerHandler", ByIds, Changed, "Lets the frames of a consumer flow."),
    "preferredLayers": Method(
        "ConsumerHandler", PreferredLayers, PreferredLayersResult, "Says which layers one can use."
    ),
    "sdpOffer": Method(
        "TransportHandler",
        SdpOffer,
        SdpOfferResult | Delivered,
        "Offers a session description to the media node or a peer.",
    ),
    "sdpAnswer": Method("TransportHandler", SdpAnswer, Empty, "Answers a peer's offer."),
    "iceCandidate": Method("TransportHandler", IceCandidate, Empty, "Trickles candidates.", "candidate"),
    "iceRestart": Method(
        "TransportHandler", IceRestart, IceRestartResult, "Asks for what an ICE restart needs."
    ),
    "connectTransport": Method(
        "TransportHandler",
        ConnectTransport,
        ConnectTransportResult,
        "Pins the DTLS fingerprints of a transport.",
    ),
    "mute": Method(
        "MediaControlHandler", Mute, MuteResult, "Pauses one's own, another's, or everybody's producers."
    ),
    "unmute": Method(
        "MediaControlHandler", Mute, MuteResult, "Lifts a mute; another's microphone is asked, not opened."
    ),
    "networkQuality": Method(
        "MediaControlHandler",
        NetworkQuality,
        NetworkQualityResult,
        "Reports one's connection, or looks at another's.",
        "stats",
    ),
    "videoStats": Method(
        "MediaControlHandler", Stats, Empty | StatsResult, "Keeps or returns statistics of video.", "stats"
    ),
    "audioStats": Method(
        "MediaControlHandler", Stats, Empty | StatsResult, "Keeps or returns statistics of audio.", "stats"
    ),
    "mediaError": Method(
        "MediaControlHandler", MediaError, MediaErrorResult, "Reports what broke and gets advice."
    ),
    "lockRoom": Method("RoomAdminHandler", LockRoom, VersionResult, "Keeps newcomers out."),
    "unlockRoom": Method("RoomAdminHandler", UnlockRoom, VersionResult, "Lets newcomers in again."),
    "kickUser": Method("RoomAdminHandler", KickUser, KickUserResult, "Ends a stay; can ban and revoke."),
    "setRole": Method("RoomAdminHandler", SetRole, SetRoleResult, "Changes a participant's role."),
    "debugPing": Method("DiagnosticsHandler", DebugPing, DebugPingResult, "Asks how the node is.", "ping"),
    "traceEvent": Method(
        "DiagnosticsHandler", TraceEvent, Empty, "Marks the time line, or subscribes to marks.", "stats"
    ),
    "chaosInject": Method("DiagnosticsHandler", ChaosInject, ChaosInjectResult, "Makes a fault on purpose."),
}
