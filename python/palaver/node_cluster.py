"""What a node shows of its cluster: to the admin API as views, to Prometheus as metrics."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from typing import Literal

from palaver.cluster import ClusterMember, NoticeError
from palaver.core import CoreError, Status
from palaver.core import events as told
from palaver.errors import SettingsError
from palaver.http.cluster_shapes import (
    ClusterEvent,
    ClusterEventPage,
    ClusterView,
    DiagnosticsView,
    ForceLeaveView,
    LeaveView,
    MemberView,
    ReachabilityView,
    ReportView,
)
from palaver.observe import DiagnosticTool, Metric, Report, counters, gauges
from palaver.protocol.errors import ProtocolError

log = logging.getLogger(__name__)

STATUSES: tuple[Status, ...] = ("alive", "suspect", "unreachable", "dead", "left", "banned")


class ClusterViews:
    """The admin API's port (palaver.http.ClusterPort), upon a ClusterMember."""

    def __init__(self, member: ClusterMember) -> None:
        self._member = member
        self._diagnostics = DiagnosticTool(member.tracker)

    def view(self) -> ClusterView:
        member, keeper = self._member, self._member.keeper
        reach = self._reach()
        return ClusterView(
            node_id=member.node_id,
            name=member.name,
            cluster=keeper.cluster,
            address=member.address if member.is_member else "",
            public_key=keeper.keys.public_key.hex(),
            state=self._state(),
            incarnation=member.driver.incarnation if member.is_member else 0,
            members=reach.members if reach else 0,
            suspected=list(reach.suspected) if reach else [],
            unreachable=list(reach.unreachable) if reach else [],
            dead=list(reach.dead) if reach else [],
            partition_suspected=reach.partition_suspected if reach else False,
            admission=keeper.kind,
            ticket_ends=None if keeper.credentials is None else keeper.credentials.not_after,
            seeds=list(member.bootstrap.entries),
            root=member.driver.root().hex() if member.is_member else "",
        )

    def members(self) -> list[MemberView]:
        now = time.monotonic()
        return [_view(each, self._member.node_id, now) for each in self._member.members()]

    def reachability(self) -> ReachabilityView:
        reach = self._reach()
        if reach is None:
            return ReachabilityView(0, [], [], [], False, "none", [self._gone()])
        return ReachabilityView(
            members=reach.members,
            suspected=list(reach.suspected),
            unreachable=list(reach.unreachable),
            dead=list(reach.dead),
            partition_suspected=reach.partition_suspected,
            seeds=reach.seeds,  # type: ignore[arg-type]  # one of the four words, as its doc says
            findings=list(_findings(reach)),
        )

    def diagnostics(self) -> DiagnosticsView:
        tool = self._diagnostics
        reports = (
            tool.report_gossip_activity(),
            tool.report_failures(),
            tool.report_heartbeat_health(time.monotonic()),
        )
        return DiagnosticsView([_report(each) for each in reports], dict(self._member.driver.counters()))

    def events(self, after: int, limit: int) -> ClusterEventPage:
        entries = self._member.journal.after(after, limit)
        return ClusterEventPage(
            [ClusterEvent(each.number, each.time, each.kind, dict(each.facts)) for each in entries]
        )

    def take_notice(self, notice: bytes) -> None:
        self._must_be_member()
        try:
            self._member.take_notice(notice)
        except NoticeError as error:
            raise ProtocolError("invalid_params", str(error)) from None
        except CoreError as error:
            raise ProtocolError("invalid_params", str(error)) from None
        except SettingsError as error:
            log.error("a notice cannot be kept: %s", error)
            raise ProtocolError("unavailable", "the node cannot write what it was told") from None

    def ban(self, ban: bytes) -> None:
        self._must_be_member()
        try:
            self._member.driver.ban(ban)
        except CoreError as error:
            raise ProtocolError("invalid_params", str(error)) from None

    async def leave(self) -> LeaveView:
        try:
            return LeaveView(await self._member.leave())
        except CoreError as error:
            raise ProtocolError("unavailable", str(error)) from None

    async def force_leave(self, node_id: str) -> ForceLeaveView:
        self._must_be_member()
        if node_id == self._member.node_id:
            raise ProtocolError("invalid_params", "this is the node itself: let it leave", path="$.node")
        try:
            self._member.manager.leave(node_id)
            status = self._member.driver.status(node_id)
        except CoreError as error:
            raise ProtocolError("invalid_params", str(error)) from None
        return ForceLeaveView(node_id, status or "dead")

    def _must_be_member(self) -> None:
        if not self._member.is_member:
            raise ProtocolError("wrong_state", self._gone())

    def _gone(self) -> str:
        return f"this node {'is banned from' if self._member.is_banned else 'has left'} the cluster"

    def _reach(self) -> told.Reachability | None:
        return self._member.driver.reachability() if self._member.is_member else None

    def _state(self) -> Literal["member", "alone", "left", "banned"]:
        if self._member.is_banned:
            return "banned"
        if not self._member.is_member:
            return "left"
        return "member" if self._member.why_alone() is None else "alone"


def _findings(reach: told.Reachability) -> Iterable[str]:
    if reach.members == 1:
        yield "this node is alone"
        if reach.seeds in ("asking", "silent"):
            yield "no seed has answered; it goes on trying"
        return
    bad = [("out of reach", reach.unreachable), ("dead", reach.dead)]
    if not any(ids for _, ids in bad) and not reach.suspected:
        yield f"all {reach.members} members can be reached"
    for words, ids in bad:
        if ids:
            yield f"{words}, as a quorum says: {len(ids)}"
    if reach.suspected:
        yield f"this node alone misses answers of {len(reach.suspected)}: look at the network between"
    if reach.partition_suspected:
        yield "a partition is suspected: nobody is declared dead until it ends"


def _report(report: Report) -> ReportView:
    return ReportView(report.subject, report.healthy, list(report.findings))


def _view(member: told.Member, own: str, now: float) -> MemberView:
    heard = member.last_heartbeat
    return MemberView(
        node_id=member.node_id,
        name=member.name,
        status=member.status,
        suspected=member.suspected,
        incarnation=member.incarnation,
        address=member.address,
        region=member.region,
        zone=member.zone,
        load=member.load,
        sessions=member.sessions,
        draining=member.draining,
        heard_s=None if not heard or member.node_id == own else round(max(0.0, now - heard), 3),
        rtt_ms=None if member.rtt is None else round(member.rtt * 1e3, 3),
        self=member.node_id == own,
    )


def cluster_metrics(member: ClusterMember) -> list[Metric]:
    by_status = dict.fromkeys(STATUSES, 0)
    reached = suspected = 0
    for each in member.members():
        by_status[each.status] += 1
        suspected += each.suspected
    reach = member.driver.reachability() if member.is_member else None
    reached = reach.members if reach else 0
    levels = {
        "size": reached,
        "suspected": suspected,
        "is_member": float(member.is_member),
        "alone": float(member.why_alone() is not None and not member.is_banned),
        "is_banned": float(member.is_banned),
        "partition_suspected": float(reach.partition_suspected if reach else False),
    }
    summary = member.tracker.get_summary()
    plain: dict[str, float] = dict(member.driver.counters())
    levels["connections"] = plain.pop("connections", 0.0)
    plain |= {"heartbeats": summary.heartbeats, "suspicions": summary.suspicions}
    help = {
        "size": "Members that take part: alive or unreachable, this node included.",
        "suspected": "Members whose answers this node alone misses.",
        "is_member": "Whether this node takes part in its cluster.",
        "is_banned": "Whether an authority has banned this node from its cluster.",
        "connections": "Streams that are open to other members.",
        "cpu_seconds": "What the native thread of the gossip has computed.",
        "alone": "Whether seeds were given and none has answered.",
        "partition_suspected": "Whether more members are out of reach than fail by themselves.",
        "heartbeats": "Times that a member was heard, looked at once a second.",
        "suspicions": "Times that a member came under suspicion.",
        "received": "Datagrams and messages over TCP that came.",
        "refused": "Those of them that were refused before they changed anything.",
        "throttled": "Those of the refused that were unread: their source had sent too many bad signatures.",
        "bad_signatures": "Signatures that were checked and found to be bad.",
        "received_bytes": "Bytes of datagrams that came.",
        "sent": "Datagrams sent.",
        "sent_bytes": "Bytes of datagrams sent.",
        "unsent": "Datagrams that the system did not take: its buffer was full, or there is no way there.",
        "streams": "Messages sent over TCP.",
        "stream_bytes": "Bytes of messages sent over TCP.",
        "streams_received": "Messages that came over TCP whole.",
        "streams_failed": "Messages for TCP that did not arrive: refused, out of time, or too many at once.",
        "connections_dropped": "TCP connections closed before a message was whole, or to make room.",
        "probes": "Probes begun.",
        "probes_failed": "Probes that no way brought an answer to.",
        "accusations": "Members that this node has accused, signed by it.",
        "refutations": "Accusations of itself that this node has answered.",
        "syncs": "Exchanges begun because two views differed.",
        "records": "Records of members that changed this node's view.",
        "broadcasts_lost": "Broadcasts that the application was too slow for.",
        "log_bytes_lost": "Bytes of membership that the disk was too slow for, or refused.",
    }
    statuses: dict[tuple[str, ...], float] = {(status,): count for status, count in by_status.items()}
    return [
        *gauges("cluster", levels, help),
        *counters("cluster", plain, help),
        Metric("cluster_members", "gauge", "Members by what is believed of them.", statuses, ("status",)),
    ]
