"""What goes in and out of the admin API. Bodies are strict: an unknown field is an error, not a silent nothing."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from palaver.protocol.methods.producer import ProducerInfo
from palaver.protocol.methods.room_admin import Ban, KickUser, LockRoom, UnlockRoom
from palaver.protocol.types import Name, Params, Result, Role, Text
from palaver.protocol.webhooks import WebhookEvent

PAGE: int = 100
MAX_PAGE: int = 1000


class Query(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Base of all query strings."""


class PageQuery(Query, frozen=True):
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE, description="At most so many.")] = PAGE
    cursor: Annotated[str, Meta(max_length=128, description="What the page before ended with.")] = ""


class ReasonQuery(Query, frozen=True):
    reason: Annotated[Text, Meta(description="What those inside are told.")] = ""


class EventQuery(Query, frozen=True):
    after: Annotated[
        int, Meta(ge=0, le=2**53 - 1, description="The number of the last one that is known.")
    ] = 0
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE, description="At most so many.")] = PAGE


class EmptyBody(Params, forbid_unknown_fields=True):
    pass


class DrainBody(Params, forbid_unknown_fields=True):
    deadline_s: Annotated[
        Annotated[float, Meta(ge=0, le=86_400)] | None,
        Meta(description="Over how long those here are sent away. Left out: gateway.drain_seconds."),
    ] = None


class LockBody(LockRoom, forbid_unknown_fields=True):
    pass


class UnlockBody(UnlockRoom, forbid_unknown_fields=True):
    pass


class BanOfKick(Ban, forbid_unknown_fields=True):
    pass


class KickBody(KickUser, forbid_unknown_fields=True):
    ban: BanOfKick | None = None


class BanBody(Params, forbid_unknown_fields=True):
    identity: Name
    room: Annotated[Name | None, Meta(description="Left out: every room.")] = None
    ttl_s: Annotated[int, Meta(ge=1, le=10 * 365 * 86_400)] | None = None
    reason: Text = ""


class LockView(Result):
    mode: Literal["closed", "knock"]
    message: str = ""
    admit: list[str] = []


class RoomView(Result):
    id: str
    epoch: int
    version: int
    locked: bool
    participants: int
    producers: int
    lock: LockView | None = None
    attributes: dict[str, str] = {}
    media_node: str = ""


class RoomPage(Result):
    rooms: list[RoomView]
    cursor: str | None = None


class ParticipantView(Result):
    peer: str
    identity: str
    role: Role
    state: Literal["joined", "suspended"]
    session: str
    consumers: int
    producers: list[ProducerInfo]
    name: str = ""
    attributes: dict[str, str] = {}
    hidden: bool = False


class ParticipantPage(Result):
    participants: list[ParticipantView]
    cursor: str | None = None


class SessionView(Result):
    id: str
    identity: str
    room: str
    peer: str
    state: Literal["joined", "suspended"]
    token_expires_at: int


class SessionPage(Result):
    sessions: list[SessionView]
    cursor: str | None = None


class BanView(Result):
    id: str
    identity: str
    made_at: Annotated[int, Meta(description="Seconds since the Unix epoch.")]
    by: str
    room: Annotated[str, Meta(description="Left out: every room.")] = ""
    until: Annotated[int | None, Meta(description="Seconds since the epoch; left out: for good.")] = None
    reason: str = ""


class BanPage(Result):
    bans: list[BanView]
    cursor: str | None = None


class BanResult(Result):
    ban: BanView
    ended: Annotated[int, Meta(description="Stays that it ended on this node.")]


class BanLifted(Result):
    lifted: str


class RoomClosed(Result):
    closed: Annotated[int, Meta(description="Stays that ended.")]


class EventPage(Result):
    events: list[WebhookEvent]
    after: Annotated[int, Meta(description="What to ask on with.")]
    oldest: Annotated[
        int, Meta(description="Number of the oldest event kept, 0: none. Above after + 1: some are gone.")
    ]


class DrainState(Result):
    draining: bool
    sessions: int


class ErrorData(Struct, rename="camel"):
    reason: str
    retry: Literal["never", "same", "reconnect", "elsewhere"]
    after_ms: int | None
    path: str | None = None


class ErrorBody(Struct):
    code: int
    message: str
    data: ErrorData


class ErrorReply(Struct):
    """An error, as it stands in a JSON-RPC reply on the wire; `data` may say more."""

    error: ErrorBody


OpenApi = dict[str, Any]
