"""AdminApi: what an operator may do to this node, as a table of operations. HTTP itself is in admin_web."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
from msgspec import Struct

from palaver.http.admin_openapi import openapi
from palaver.http.admin_shapes import (
    BanBody,
    BanLifted,
    BanPage,
    BanResult,
    DrainBody,
    DrainState,
    EmptyBody,
    EventPage,
    EventQuery,
    KickBody,
    LockBody,
    OpenApi,
    PageQuery,
    ParticipantPage,
    ReasonQuery,
    RoomClosed,
    RoomPage,
    RoomView,
    SessionPage,
    UnlockBody,
)
from palaver.http.admin_views import ban_view, page, participant_view, room_view, session_view
from palaver.http.cluster_api import ClusterApi, ClusterPort
from palaver.http.operation import Call, Operation
from palaver.protocol.methods.room_admin import KickUserResult, VersionResult
from palaver.protocol.webhooks import WebhookEvent
from palaver.rooms.lock import RoomLock
from palaver.rooms.session_manager import SessionManager
from palaver.signaling.administration import OPERATOR, Administration
from palaver.version import VERSION


class Hooks(Struct, frozen=True):
    """What the node does for the operator."""

    drain: Callable[[float | None], None]
    """Takes no new clients and begins to send those here elsewhere, over so many seconds (None: as usual)."""
    undrain: Callable[[], None]
    is_draining: Callable[[], bool]
    events: Callable[[int, int], Awaitable[tuple[list[tuple[int, bytes]], int]]]
    """(after, limit) → (number, body as JSON) of the events after that number, and the number of the oldest kept."""


class AdminApi:
    """The operator acts through the same Administration as moderators do, with a rank above all of them."""

    def __init__(
        self,
        sessions: SessionManager,
        administration: Administration,
        hooks: Hooks,
        cluster: ClusterPort | None = None,
        elsewhere: Callable[[str], int | None] = lambda room: None,
    ) -> None:
        """`elsewhere(room)` is the side port of another worker that owns the room, or None."""
        self._sessions = sessions
        self._administration = administration
        self._hooks = hooks
        self.elsewhere = elsewhere
        self.operations = self._table() + (ClusterApi(cluster).operations if cluster is not None else ())

    def _table(self) -> tuple[Operation, ...]:
        return (
            Operation("GET", "/v1/rooms", "listRooms", "Rooms of this node.",
                      self.list_rooms, RoomPage, PageQuery),
            Operation("GET", "/v1/rooms/{room}", "getRoom", "One room.", self.get_room, RoomView),
            Operation("DELETE", "/v1/rooms/{room}", "closeRoom", "Ends every stay of a room (close code 4506).",
                      self.close_room, RoomClosed, ReasonQuery),
            Operation("GET", "/v1/rooms/{room}/participants", "listParticipants",
                      "Who is in a room, hidden and suspended ones included.",
                      self.list_participants, ParticipantPage, PageQuery),
            Operation("POST", "/v1/rooms/{room}/lock", "lockRoom", "Keeps newcomers out.",
                      self.lock, VersionResult, body=LockBody),
            Operation("POST", "/v1/rooms/{room}/unlock", "unlockRoom", "Lets newcomers in again.",
                      self.unlock, VersionResult, body=UnlockBody),
            Operation("POST", "/v1/rooms/{room}/kick", "kickUser", "Ends a stay; can ban and revoke.",
                      self.kick, KickUserResult, body=KickBody, body_required=True),
            Operation("GET", "/v1/bans", "listBans", "Bans in force.", self.list_bans, BanPage, PageQuery),
            Operation("POST", "/v1/bans", "ban", "Bans an identity from one room or all, and ends its stays there.",
                      self.ban, BanResult, body=BanBody, body_required=True, status=201),
            Operation("DELETE", "/v1/bans/{ban}", "liftBan", "Ends a ban before its time.",
                      self.lift_ban, BanLifted),
            Operation("GET", "/v1/sessions", "listSessions", "Sessions that hold a seat, suspended ones included.",
                      self.list_sessions, SessionPage, PageQuery),
            Operation("GET", "/v1/events", "listEvents", "What happened in rooms, as it is sent to webhooks.",
                      self.list_events, EventPage, EventQuery),
            Operation("POST", "/v1/drain", "drain", "Takes no new clients and sends those here elsewhere.",
                      self.drain, DrainState, body=DrainBody),
            Operation("POST", "/v1/undrain", "undrain", "Takes clients again.",
                      self.undrain, DrainState, body=EmptyBody),
            Operation("GET", "/v1/openapi.json", "openapi", "This API, as OpenAPI 3.1.", self.document, OpenApi),
        )  # fmt: skip

    # --- rooms ---

    def list_rooms(self, call: Call) -> RoomPage:
        rooms, cursor = page(self._sessions.rooms.values(), lambda room: room.id, call.query)
        return RoomPage([room_view(each) for each in rooms], cursor)

    def get_room(self, call: Call) -> RoomView:
        return room_view(self._administration.find_room(call.path["room"]))

    def list_participants(self, call: Call) -> ParticipantPage:
        room = self._administration.find_room(call.path["room"])
        found, cursor = page(room.participants.values(), lambda each: each.peer, call.query)
        return ParticipantPage([participant_view(each) for each in found], cursor)

    def lock(self, call: Call) -> VersionResult:
        room, body = self._administration.find_room(call.path["room"]), call.body
        lock = RoomLock(body.mode, body.message, frozenset(body.admit))
        return self._administration.set_lock(room, lock, OPERATOR, body.if_version)

    def unlock(self, call: Call) -> VersionResult:
        room = self._administration.find_room(call.path["room"])
        return self._administration.set_lock(room, None, OPERATOR, call.body.if_version)

    def kick(self, call: Call) -> KickUserResult:
        room = self._administration.find_room(call.path["room"])
        return self._administration.kick(room, call.body, OPERATOR)

    def close_room(self, call: Call) -> RoomClosed:
        room = self._administration.find_room(call.path["room"])
        return RoomClosed(self._administration.close_room(room, OPERATOR, call.query.reason))

    # --- bans ---

    def list_bans(self, call: Call) -> BanPage:
        bans, cursor = page(self._administration.bans(), lambda ban: ban.id, call.query)
        return BanPage([ban_view(each) for each in bans], cursor)

    def ban(self, call: Call) -> BanResult:
        body: BanBody = call.body
        ban, ended = self._administration.ban(
            body.identity, body.room or "", body.ttl_s, body.reason, OPERATOR
        )
        return BanResult(ban_view(ban), ended)

    def lift_ban(self, call: Call) -> BanLifted:
        self._administration.lift_ban(call.path["ban"])
        return BanLifted(call.path["ban"])

    # --- the node ---

    def list_sessions(self, call: Call) -> SessionPage:
        sessions, cursor = page(
            self._sessions.sessions.values(), lambda session: session.session_id, call.query
        )
        return SessionPage([session_view(each) for each in sessions], cursor)

    async def list_events(self, call: Call) -> EventPage:
        query: EventQuery = call.query
        rows, oldest = await self._hooks.events(query.after, query.limit)
        after = rows[-1][0] if rows else query.after
        return EventPage([msgspec.json.decode(body, type=WebhookEvent) for _, body in rows], after, oldest)

    def drain(self, call: Call) -> DrainState:
        self._hooks.drain(call.body.deadline_s)
        return self._drain_state()

    def undrain(self, call: Call) -> DrainState:
        self._hooks.undrain()
        return self._drain_state()

    def _drain_state(self) -> DrainState:
        return DrainState(self._hooks.is_draining(), len(self._sessions.sessions))

    def document(self, call: Call) -> OpenApi:
        return openapi(self.operations, VERSION)

    def settle(self) -> None:
        """After each operation: those in the rooms are told what it changed."""
        self._sessions.deliver_all()
