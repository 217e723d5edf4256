"""What webhooks and GET /v1/events carry: what happened in rooms, in the words of LiveKit's webhooks."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from palaver.protocol.types import Result, Role

EventName = Literal[
    "room_started",
    "room_finished",
    "participant_joined",
    "participant_left",
    "track_published",
    "track_unpublished",
]
TrackType = Literal["AUDIO", "VIDEO", "DATA"]
TrackSource = Literal["UNKNOWN", "CAMERA", "MICROPHONE", "SCREEN_SHARE", "SCREEN_SHARE_AUDIO"]


class WebhookRoom(Result):
    sid: Annotated[
        str, Meta(description="Of this life of the room: one that is empty ends, and begins anew.")
    ]
    name: str
    epoch: int


class WebhookParticipant(Result):
    sid: Annotated[str, Meta(description="The peer id.")]
    identity: str
    role: Role
    name: str = ""
    attributes: dict[str, str] = {}


class WebhookTrack(Result):
    sid: Annotated[str, Meta(description="The producer id.")]
    type: TrackType
    source: TrackSource
    name: str = ""
    muted: bool = False


class WebhookEvent(Result):
    event: EventName
    id: Annotated[
        str, Meta(description="The same at each delivery: what was seen already can be told by it.")
    ]
    created_at: Annotated[int, Meta(description="Seconds since the Unix epoch.")]
    number: Annotated[int, Meta(description="Of all events of this node; what `after` of /v1/events takes.")]
    seq: Annotated[int, Meta(description="Within this life of the room, from 1 without a gap.")]
    node: str
    room: WebhookRoom
    participant: WebhookParticipant | None = None
    track: WebhookTrack | None = None
    reason: Annotated[str, Meta(description="Why it ended, where it did.")] = ""
