"""The cluster's rows of the admin API. What they ask of the node is a port, which the composition root fills in."""

from __future__ import annotations

import base64
import binascii
from typing import Protocol

from palaver.http.admin_shapes import EmptyBody, PageQuery
from palaver.http.admin_views import page
from palaver.http.cluster_shapes import (
    ClusterEventPage,
    ClusterEventQuery,
    ClusterView,
    CredentialsBody,
    CredentialsTaken,
    DiagnosticsView,
    ForceLeaveView,
    LeaveView,
    MemberPage,
    MemberView,
    ReachabilityView,
    RttView,
)
from palaver.http.operation import Call, Operation
from palaver.protocol.errors import ProtocolError


class ClusterPort(Protocol):
    """What the admin API asks of this node's membership. Raises ProtocolError for what it refuses."""

    def view(self) -> ClusterView: ...
    def members(self) -> list[MemberView]: ...
    def reachability(self) -> ReachabilityView: ...
    def diagnostics(self) -> DiagnosticsView: ...
    def events(self, after: int, limit: int) -> ClusterEventPage: ...
    def take_notice(self, notice: bytes) -> None: ...
    def ban(self, ban: bytes) -> None: ...
    async def leave(self) -> LeaveView: ...
    async def force_leave(self, node_id: str) -> ForceLeaveView: ...


class ClusterApi:
    """The operations; a node without a cluster has none of them."""

    def __init__(self, cluster: ClusterPort) -> None:
        self._cluster = cluster
        self.operations = self._table()

    def _table(self) -> tuple[Operation, ...]:
        return (
            Operation("GET", "/v1/cluster", "getCluster", "This node's place in the cluster.",
                      lambda call: self._cluster.view(), ClusterView),
            Operation("GET", "/v1/cluster/members", "listMembers", "All members, as this node sees them.",
                      self.list_members, MemberPage, PageQuery),
            Operation("GET", "/v1/cluster/members/{node}", "getMember", "One member, by its id or name.",
                      self.get_member, MemberView),
            Operation("GET", "/v1/cluster/members/{node}/rtt", "getRtt", "How far away a member is.",
                      self.rtt, RttView),
            Operation("GET", "/v1/cluster/reachability", "getReachability", "Who can be reached from here.",
                      lambda call: self._cluster.reachability(), ReachabilityView),
            Operation("GET", "/v1/cluster/diagnostics", "getDiagnostics", "Gossip, failures and heartbeats, in sentences.",
                      lambda call: self._cluster.diagnostics(), DiagnosticsView),
            Operation("GET", "/v1/cluster/events", "listClusterEvents", "The last things that happened in the cluster.",
                      self.list_events, ClusterEventPage, ClusterEventQuery),
            Operation("POST", "/v1/cluster/leave", "leaveCluster",
                      "Says goodbye to the cluster; clients of this node stay.",
                      self.leave, LeaveView, body=EmptyBody),
            Operation("POST", "/v1/cluster/members/{node}/force-leave", "forceLeave",
                      "Has a member that is unreachable treated as dead now.",
                      self.force_leave, ForceLeaveView, body=EmptyBody),
            Operation("POST", "/v1/cluster/credentials", "putCredentials",
                      "Tells the cluster what an authority has signed: keys, tickets, a ban.",
                      self.put_credentials, CredentialsTaken, body=CredentialsBody, body_required=True),
        )  # fmt: skip

    def list_members(self, call: Call) -> MemberPage:
        members, cursor = page(self._cluster.members(), lambda member: member.node_id, call.query)
        return MemberPage(members, cursor)

    def get_member(self, call: Call) -> MemberView:
        return self._find(call.path["node"])

    def rtt(self, call: Call) -> RttView:
        member = self._find(call.path["node"])
        return RttView(member.node_id, member.name, member.rtt_ms)

    def list_events(self, call: Call) -> ClusterEventPage:
        query: ClusterEventQuery = call.query
        return self._cluster.events(query.after, query.limit)

    async def leave(self, call: Call) -> LeaveView:
        return await self._cluster.leave()

    async def force_leave(self, call: Call) -> ForceLeaveView:
        return await self._cluster.force_leave(self._find(call.path["node"]).node_id)

    def put_credentials(self, call: Call) -> CredentialsTaken:
        body: CredentialsBody = call.body
        notices = [_decoded(notice, f"$.notices[{index}]") for index, notice in enumerate(body.notices)]
        ban = None if body.ban is None else _decoded(body.ban, "$.ban")
        taken, refused = 0, None
        for notice in notices:
            try:
                self._cluster.take_notice(notice)
                taken += 1
            except (
                ProtocolError
            ) as error:  # the same set of keys comes signed by each of them; one has to be known here
                refused = error
        if refused is not None and not taken:
            raise refused
        if ban is not None:
            self._cluster.ban(ban)
        return CredentialsTaken(taken + (ban is not None))

    def _find(self, wanted: str) -> MemberView:
        """By id, else by a name that only one has."""
        members = self._cluster.members()
        found = [member for member in members if member.node_id == wanted] or [
            member for member in members if member.name == wanted
        ]
        if len(found) > 1:
            raise ProtocolError(
                "invalid_params", f"{len(found)} members are called so: use an id", path="$.node"
            )
        if not found:
            raise ProtocolError("not_found", "there is no such member")
        return found[0]


def _decoded(text: str, path: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ProtocolError("invalid_params", "this is not base64", path=path) from None
