"""METHODS: every method, its handler, its params and its rate class."""

from __future__ import annotations

from typing import Literal, NamedTuple

from palaver.protocol.methods.auth import Auth, RefreshToken, ValidateToken
from palaver.protocol.methods.consumer import ByIds, CreateConsumer, PreferredLayers
from palaver.protocol.methods.diagnostics import ChaosInject, DebugPing, TraceEvent
from palaver.protocol.methods.media_control import MediaError, Mute, NetworkQuality, Stats
from palaver.protocol.methods.producer import (
    ById,
    ChangeEncoding,
    CloseProducer,
    CreateProducer,
    ReplaceTrack,
)
from palaver.protocol.methods.room_admin import KickUser, LockRoom, SetRole, UnlockRoom
from palaver.protocol.methods.session import Disconnect, Heartbeat, Join, Leave, RoomInfo
from palaver.protocol.methods.transport import ConnectTransport, IceCandidate, IceRestart, SdpAnswer, SdpOffer
from palaver.protocol.types import Params


class Method(NamedTuple):
    handler: str
    params: type[Params]
    rate: Literal["candidate", "request", "ping", "stats"] = "request"


METHODS: dict[str, Method] = {
    "auth": Method("AuthHandler", Auth),
    "validateToken": Method("AuthHandler", ValidateToken),
    "refreshToken": Method("AuthHandler", RefreshToken),
    "join": Method("SessionHandler", Join),
    "leave": Method("SessionHandler", Leave),
    "disconnect": Method("SessionHandler", Disconnect),
    "heartbeat": Method("SessionHandler", Heartbeat),
    "roomInfo": Method("SessionHandler", RoomInfo),
    "createProducer": Method("ProducerHandler", CreateProducer),
    "closeProducer": Method("ProducerHandler", CloseProducer),
    "pauseProducer": Method("ProducerHandler", ById),
    "resumeProducer": Method("ProducerHandler", ById),
    "replaceTrack": Method("ProducerHandler", ReplaceTrack),
    "changeEncoding": Method("ProducerHandler", ChangeEncoding),
    "createConsumer": Method("ConsumerHandler", CreateConsumer),
    "closeConsumer": Method("ConsumerHandler", ByIds),
    "pauseConsumer": Method("ConsumerHandler", ByIds),
    "resumeConsumer": Method("ConsumerHandler", ByIds),
    "preferredLayers": Method("ConsumerHandler", PreferredLayers),
    "sdpOffer": Method("TransportHandler", SdpOffer),
    "sdpAnswer": Method("TransportHandler", SdpAnswer),
    "iceCandidate": Method("TransportHandler", IceCandidate, "candidate"),
    "iceRestart": Method("TransportHandler", IceRestart),
    "connectTransport": Method("TransportHandler", ConnectTransport),
    "mute": Method("MediaControlHandler", Mute),
    "unmute": Method("MediaControlHandler", Mute),
    "networkQuality": Method("MediaControlHandler", NetworkQuality, "stats"),
    "videoStats": Method("MediaControlHandler", Stats, "stats"),
    "audioStats": Method("MediaControlHandler", Stats, "stats"),
    "mediaError": Method("MediaControlHandler", MediaError),
    "lockRoom": Method("RoomAdminHandler", LockRoom),
    "unlockRoom": Method("RoomAdminHandler", UnlockRoom),
    "kickUser": Method("RoomAdminHandler", KickUser),
    "setRole": Method("RoomAdminHandler", SetRole),
    "debugPing": Method("DiagnosticsHandler", DebugPing, "ping"),
    "traceEvent": Method("DiagnosticsHandler", TraceEvent, "stats"),
    "chaosInject": Method("DiagnosticsHandler", ChaosInject),
}
