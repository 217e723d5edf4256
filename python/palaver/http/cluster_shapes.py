"""What goes in and out of the cluster part of the admin API."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from palaver.http.admin_shapes import MAX_PAGE, PAGE, Query
from palaver.protocol.types import Params, Result

MemberStatus = Literal["alive", "suspect", "unreachable", "dead", "left", "banned"]
Encoded = Annotated[str, Meta(min_length=1, max_length=2_048, pattern="^[A-Za-z0-9+/=]*$")]


class ClusterView(Result):
    """This node's place in the cluster."""

    node_id: str
    name: str
    cluster: str
    address: str
    """host:port of its gossip."""
    public_key: str
    state: Literal["member", "alone", "left", "banned"]
    """alone: seeds were given and none has answered; banned: for ever, under this key."""
    incarnation: int
    members: int
    """Alive or unreachable, this node included."""
    suspected: list[str]
    unreachable: list[str]
    dead: list[str]
    partition_suspected: bool
    admission: Literal["open", "keys", "authorities"]
    ticket_ends: int | None
    """Seconds of Unix time; null where no ticket is needed."""
    seeds: list[str]
    root: str
    """Equal on two nodes exactly when they agree on every member."""


class MemberView(Result):
    """One member, as this node sees it."""

    node_id: str
    name: str
    status: MemberStatus
    suspected: bool
    """Whether this node alone misses its answers."""
    incarnation: int
    address: str | None
    region: str
    zone: str
    load: int
    """Thousandths of what it can carry."""
    sessions: int
    draining: bool
    heard_s: float | None
    """Seconds since this node heard of it itself; null for never."""
    rtt_ms: float | None
    """Smoothed round trip to its zone in milliseconds."""
    self: bool


class MemberPage(Result):
    members: list[MemberView]
    cursor: str | None


class RttView(Result):
    node_id: str
    name: str
    rtt_ms: float | None


class ReachabilityView(Result):
    """Who can be reached from here."""

    members: int
    suspected: list[str]
    unreachable: list[str]
    dead: list[str]
    partition_suspected: bool
    seeds: Literal["none", "asking", "silent", "joined"]
    findings: list[str]
    """What that means, in sentences."""


class ReportView(Result):
    subject: str
    healthy: bool
    findings: list[str]


class DiagnosticsView(Result):
    reports: list[ReportView]
    counters: dict[str, float]


class LeaveView(Result):
    acknowledged: int
    """How many members have acknowledged the goodbye."""


class ForceLeaveView(Result):
    node_id: str
    status: MemberStatus
    """As it is now: alive where it still answers, for then nothing happens."""


class ClusterEvent(Result):
    number: int
    time: float
    """Seconds of Unix time."""
    kind: str
    facts: dict[str, Any]


class ClusterEventPage(Result):
    events: list[ClusterEvent]


class ClusterEventQuery(Query, frozen=True):
    after: Annotated[
        int, Meta(ge=0, le=2**53 - 1, description="The number of the last one that is known.")
    ] = 0
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE, description="At most so many.")] = PAGE


class CredentialsBody(Params, forbid_unknown_fields=True):
    notices: Annotated[
        list[Encoded],
        Meta(max_length=1_000, description="Notices of `palaver cluster keys`, base64, in their order."),
    ] = []
    ban: Annotated[Encoded | None, Meta(description="A ban signed by an authority, base64.")] = None


class CredentialsTaken(Result):
    taken: int
