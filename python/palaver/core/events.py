"""What a cluster node tells: the events of ClusterDriver and ProductionNode, and what they say of members.

The native core makes these by name, with fields in the order in which they stand here. All are frozen, comparable, and
can be matched: ``case ViewChanged(changes=changes)``. Node ids are text, times seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

from palaver.core.types import Status


@dataclass(frozen=True, slots=True)
class Change:
    """How one member's standing has changed."""

    node_id: str
    before: Status | None
    """How it stood when the batch began; None if it was unknown."""
    after: Status | None
    """How it stands now; None if it has been forgotten. Equal to ``before`` when only its address, name, place or
    incarnation is new."""
    incarnation: int


@dataclass(frozen=True, slots=True)
class ViewChanged:
    """The view has changed: one batch, in which each member stands once."""

    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Suspected:
    """This node alone misses answers of a member, or has them again. Nobody else is told."""

    node_id: str
    suspect: bool


@dataclass(frozen=True, slots=True)
class BroadcastReceived:
    """A member has spread this; its signature is good. Each broadcast comes once, while the cache remembers it."""

    origin: str
    urgent: bool
    payload: bytes


@dataclass(frozen=True, slots=True)
class BroadcastsLost:
    """Python was too slow: so many broadcasts found no room in the queue and are gone. What they said must be fetched."""

    count: int


@dataclass(frozen=True, slots=True)
class PartitionSuspected:
    """More members are out of reach than fail by themselves: none is declared dead while that is so."""

    unreachable: int
    members: int


@dataclass(frozen=True, slots=True)
class PartitionEnded:
    """Those out of reach have come back, or are few again."""


@dataclass(frozen=True, slots=True)
class Paused:
    """The native thread, and so likely the whole machine, stood still for so many seconds; nobody was blamed for it."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Blocked:
    """``beat`` has not been called for so many seconds: the node tells others that it takes nothing new."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Unblocked:
    """``beat`` has been called again, after so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Equivocation:
    """A member has signed two different records for one moment: it lies, or its key is used twice."""

    node_id: str


@dataclass(frozen=True, slots=True)
class IdentityConflict:
    """Another process uses this node's key."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A node was not let in. At most one a minute is told."""

    node_id: str
    why: str


@dataclass(frozen=True, slots=True)
class Joined:
    """The cluster has been found: the first whole exchange with a seed."""


@dataclass(frozen=True, slots=True)
class Alone:
    """No seed has answered; the node goes on trying."""


@dataclass(frozen=True, slots=True)
class LogFailed:
    """Membership can no longer be written to the disk. The node goes on: after a restart it learns it from peers."""

    why: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """The node is out of the cluster and its thread has ended. Nothing comes after this."""

    acknowledged: int
    """How many have acknowledged the goodbye; 0 where there was none."""
    why: str
    """``left``, ``closed``, ``blocked`` (left because Python did not beat), ``banned`` (for ever), or what broke."""


Event = (
    ViewChanged
    | Suspected
    | BroadcastReceived
    | BroadcastsLost
    | PartitionSuspected
    | PartitionEnded
    | Paused
    | Blocked
    | Unblocked
    | Equivocation
    | IdentityConflict
    | Refused
    | Joined
    | Alone
    | LogFailed
    | Stopped
)
"""Any of them."""


@dataclass(frozen=True, slots=True)
class Member:
    """One member, as this node sees it."""

    node_id: str
    status: Status
    """One that comes and goes too often stands as unreachable."""
    suspected: bool
    """Whether this node alone misses its answers."""
    incarnation: int
    name: str
    address: str | None
    """``host:port`` of its gossip, None until its record has come."""
    region: str
    zone: str
    load: int
    """Thousandths of what it can carry."""
    sessions: int
    draining: bool
    last_heartbeat: float
    """When this node last heard of it itself, by the clock of ``time.monotonic``; 0.0 for never."""
    rtt: float | None
    """The smoothed round-trip time to its zone in seconds, None where nothing of the zone has been measured."""


@dataclass(frozen=True, slots=True)
class Reachability:
    """Who can be reached, as this node sees it. Ids are in rising order."""

    members: int
    """How many take part: alive or unreachable, this node included."""
    suspected: tuple[str, ...]
    """Alive, but this node misses their answers."""
    unreachable: tuple[str, ...]
    dead: tuple[str, ...]
    partition_suspected: bool
    seeds: str
    """``none`` were given, still ``asking``, ``silent`` (three rounds unanswered; asking goes on) or ``joined``."""
