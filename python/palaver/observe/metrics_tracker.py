"""MetricsTracker: what gossip did to each member, counted as it happens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

MAX_NODES: Final = 65_536
"""As many as the engine's own `max_members`: a stranger cannot make the tracker grow beyond the table."""
SMOOTHING: Final = 1 / 8
"""Weight of the newest interval, as for round trips in TCP (RFC 6298 § 2)."""


class Heartbeats(Struct):
    """How regularly a member was heard."""

    last: float
    """Seconds of the monotonic clock."""
    count: int = 1
    interval: float = 0.0
    """Smoothed seconds between two; 0.0 before the second one."""
    longest: float = 0.0
    """The longest silence between two."""


class Summary(Struct, frozen=True, rename="camel"):
    """All counters at one moment, as `palaver members --json` and the admin API show them."""

    gossips: int
    heartbeats: int
    suspicions: int
    nodes: int
    """Members of which anything is known."""
    most_suspected: tuple[str, ...]
    """At most five, the most suspected first."""
    untracked: int
    """Records of members beyond the bound, which are counted here only."""


class MetricsTracker:
    """Counters of gossip, heartbeats and suspicions by member. Reads no clock: `now` is an argument.

    `forget` a member that is gone for good; beyond `max_nodes` further members are not followed.
    """

    def __init__(self, max_nodes: int = MAX_NODES) -> None:
        self._max = max_nodes
        self._gossip: dict[str, int] = {}
        self._heartbeats: dict[str, Heartbeats] = {}
        self._suspicions: dict[str, int] = {}
        self._untracked = 0

    @property
    def gossip_counts(self) -> Mapping[str, int]:
        """Node id → exchanges noted with it. ClusterMember looks once a second, and notes one for any number of messages."""
        return self._gossip

    @property
    def heartbeat_times(self) -> Mapping[str, float]:
        """Node id → when it was last heard, in seconds of the monotonic clock."""
        return {node: beats.last for node, beats in self._heartbeats.items()}

    @property
    def heartbeats(self) -> Mapping[str, Heartbeats]:
        """Node id → how regularly it was heard."""
        return self._heartbeats

    @property
    def failure_suspicions(self) -> Mapping[str, int]:
        """Node id → how often it came under suspicion."""
        return self._suspicions

    def record_gossip(self, node_id: str, count: int = 1) -> None:
        """Notes `count` exchanges with a member."""
        if self._room(self._gossip, node_id):
            self._gossip[node_id] = self._gossip.get(node_id, 0) + count

    def record_heartbeat(self, node_id: str, now: float) -> None:
        """Notes that a member was heard; a time that is not after its last one changes nothing."""
        beats = self._heartbeats.get(node_id)
        if beats is None:
            if self._room(self._heartbeats, node_id):
                self._heartbeats[node_id] = Heartbeats(now)
            return
        passed = now - beats.last
        if passed <= 0:
            return
        beats.interval += (passed - beats.interval) * (SMOOTHING if beats.interval else 1)
        beats.longest = max(beats.longest, passed)
        beats.last = now
        beats.count += 1

    def record_suspicion(self, node_id: str) -> None:
        """Notes that a member came under suspicion."""
        if self._room(self._suspicions, node_id):
            self._suspicions[node_id] = self._suspicions.get(node_id, 0) + 1

    def forget(self, node_id: str) -> None:
        """Drops what is known of a member that is gone."""
        for counts in (self._gossip, self._heartbeats, self._suspicions):
            counts.pop(node_id, None)

    def get_summary(self) -> Summary:
        worst = sorted(self._suspicions.items(), key=lambda item: (-item[1], item[0]))[:5]
        return Summary(
            gossips=sum(self._gossip.values()),
            heartbeats=sum(beats.count for beats in self._heartbeats.values()),
            suspicions=sum(self._suspicions.values()),
            nodes=len(self._gossip.keys() | self._heartbeats.keys() | self._suspicions.keys()),
            most_suspected=tuple(node for node, _ in worst),
            untracked=self._untracked,
        )

    def _room(self, counts: Mapping[str, object], node_id: str) -> bool:
        if node_id in counts or len(counts) < self._max:
            return True
        self._untracked += 1
        return False
