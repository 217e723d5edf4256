"""Params and results of SessionHandler: presence and room membership."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from msgspec import Meta

from palaver.protocol.methods.producer import CreateProducer, OwnProducer, ProducerInfo
from palaver.protocol.types import (
    Attributes,
    Clock,
    Count,
    Generation,
    IceServer,
    Millis,
    Name,
    Params,
    Result,
    Role,
    Sdp,
    Text,
    Token,
)


class Empty(Result):
    pass


EMPTY: Final = Empty()


class Resume(Params):
    ticket: Name
    last_seq: Count


class JoinOffer(Params):
    transport: Name
    sdp: Sdp
    generation: Generation = 1
    direction: Literal["send", "recv"] = "send"


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
    producers: Annotated[list[OwnProducer], Meta(description="One's own, oldest first.")]


class PeerInfo(Result):
    peer: str
    identity: str
    role: Role
    name: str = ""
    attributes: dict[str, str] = {}
    suspended: bool = False


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
