"""METHODS: every method, its handler, its params and its rate class."""

from __future__ import annotations

from typing import Literal, NamedTuple

from palaver.protocol.methods.auth import Auth
from palaver.protocol.methods.consumer import ByIds, CreateConsumer
from palaver.protocol.methods.diagnostics import DebugPing
from palaver.protocol.methods.media_control import Mute
from palaver.protocol.methods.producer import ById, CloseProducer, CreateProducer
from palaver.protocol.methods.session import Disconnect, Heartbeat, Join, Leave, RoomInfo
from palaver.protocol.methods.transport import ConnectTransport, IceCandidate, SdpAnswer, SdpOffer
from palaver.protocol.types import Params


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
