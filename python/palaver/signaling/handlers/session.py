"""SessionHandler: presence and room membership."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, Protocol

import msgspec
from msgspec import Raw

from palaver.protocol import events
from palaver.protocol.close_codes import CloseCode
from palaver.protocol.errors import ProtocolError
from palaver.protocol.methods.session import (
    Disconnect,
    DisconnectResult,
    Empty,
    Heartbeat,
    HeartbeatResult,
    Join,
    JoinAnswer,
    JoinOffer,
    JoinResult,
    Leave,
    Resume,
    RoomInfo,
    RoomInfoResult,
    SessionInfo,
    Unchanged,
    You,
)
from palaver.rooms.media import Producer
from palaver.rooms.participant import Participant
from palaver.rooms.role import Claims, is_moderator
from palaver.rooms.room import Room
from palaver.rooms.session_manager import SeatRequest, SessionManager
from palaver.settings import LiveSettings
from palaver.signaling.admission import require
from palaver.signaling.message import Caller, Message
from palaver.signaling.negotiation import Negotiation
from palaver.signaling.ports import Elsewhere, MediaNode, TransportHandle
from palaver.signaling.publishing import Publishing
from palaver.signaling.router import Verb
from palaver.signaling.rulings import Rulings
from palaver.signaling.stream_router import StreamRouter

MAX_ATTRIBUTES: Final = 16 * 1024
"""Bytes of a participant's attributes as JSON: every newcomer is told all of them."""
JOINS_IN_FLIGHT: Final = 4
"""Joins with an offer of one identity that the media node works on at once, on as many sockets: each costs a transport
before there is a seat that it counts for."""
PAGE: Final = 200
"""Participants in one page of roomInfo."""


def _size(attributes: dict[str, str]) -> int:
    return len(msgspec.json.encode(attributes)) if attributes else 0


class Authentication(Protocol):
    """What a join asks of AuthHandler."""

    def claims_of(self, message: Message, token: str | None) -> Claims: ...

    def accept(self, caller: Caller, claims: Claims) -> None: ...

    def check_standing(self, claims: Claims, room: str | None) -> None: ...


class SessionHandler:
    def __init__(
        self,
        sessions: SessionManager,
        streams: StreamRouter,
        publishing: Publishing,
        negotiation: Negotiation,
        settings: LiveSettings,
        wall: Callable[[], float],
        auth: Authentication,
        rulings: Rulings,
        charge: Callable[[str, int, float], None],
        elsewhere: Callable[[str, str], str | None],
    ) -> None:
        """`charge(identity, bytes, now)` raises ProtocolError rate_limited for who has told the others too much;
        `elsewhere(room, host)` is that of RoomDirectory."""
        self._sessions = sessions
        self._streams = streams
        self._publishing = publishing
        self._negotiation = negotiation
        self._settings = settings
        self._wall = wall
        self._auth = auth
        self._rulings = rulings
        self._charge = charge
        self._elsewhere = elsewhere
        self._joining: Counter[str] = Counter()
        """Identity → joins with an offer that the media node works on."""

    @property
    def routes(self) -> Mapping[str, Verb]:
        return {
            "join": self.join,
            "leave": self.leave,
            "disconnect": self.disconnect,
            "heartbeat": self.heartbeat,
            "roomInfo": self.room_info,
        }

    # --- join ---

    def join(self, message: Message, params: Join) -> JoinResult | Coroutine[Any, Any, JoinResult]:
        """Looks at everything first and changes only then: a refused join has changed nothing, not even the token.

        Raises Elsewhere for a room that another process owns.
        """
        session = message.session
        claims = self._auth.claims_of(message, params.token)
        require(claims, "roomJoin")
        if not claims.grants.admits(params.room):
            raise ProtocolError("forbidden", "the token is for another room", need="room")
        if session.state != "joined" and (
            url := self._elsewhere(params.room, message.caller.connection.host)
        ):
            raise Elsewhere(url)
        if session.state == "joined":
            if session.room_id != params.room:
                raise ProtocolError("wrong_state", "leave the room that you are in first")
            self._auth.check_standing(claims, params.room)
            self._auth.accept(message.caller, claims)
            room, participant = message.seat
            message.work = len(room.participants) + len(room.producers)
            return self._snapshot(room, participant)
        if params.resume is not None:
            if params.offer is not None or params.producers:
                field = "offer" if params.offer is not None else "producers"
                rule = "a resume keeps what there is: offer and create producers after it"
                raise ProtocolError("invalid_params", rule, path=f"$.{field}")
            self._auth.check_standing(claims, params.room)
            return self._resume(message, claims, params.room, params.resume)
        request = SeatRequest(
            session,
            claims,
            params.room,
            self._sessions.new_id("p"),
            params.name,
            params.attributes,
            params.subscribe,
            params.on_duplicate,
        )
        try:
            self._check(request, params, message.now)
        except ProtocolError as error:
            if session.state == "new" and error.extra.get("mode") == "knock":
                self._auth.accept(
                    message.caller, claims
                )  # who knocks may wait at the door, and try again there
            raise
        joining = self._joining.get(claims.identity, 0)
        if session.is_joining or (params.offer is not None and joining >= JOINS_IN_FLIGHT):
            raise ProtocolError("unavailable", "this join is being answered already", after_ms=100)
        told = message.size - len(params.token or "") + _size(claims.attributes)
        self._charge(claims.identity, told, message.now)
        if params.offer is not None:
            session.is_joining = True
            self._joining[claims.identity] += 1
            return self._join_with_offer(message, request, params, params.offer)
        return self._take_seat(message, request, params)

    def _check(self, request: SeatRequest, params: Join, now: float) -> None:
        """Raises what `_take_seat` would run into; after it, taking the seat cannot fail.

        Rulings may be younger than the token's verification.
        """
        self._auth.check_standing(request.claims, request.room)
        if _size(request.all_attributes) > MAX_ATTRIBUTES:
            raise ProtocolError(
                "too_large", f"attributes have at most {MAX_ATTRIBUTES} bytes as JSON", path="$.attributes"
            )
        self._publishing.check_all(request, params.producers, params.offer)
        self._pass_lock(request, request.claims, now)
        self._sessions.check_seat(request)

    def _pass_lock(self, request: SeatRequest, claims: Claims, now: float) -> None:
        """Raises ProtocolError room_locked. Who is in already, moderates, or is on the list passes; others may knock."""
        room = self._sessions.rooms.get(request.room)
        lock = room.lock if room is not None else None
        if room is None or lock is None or claims.identity in room.peer_of or claims.identity in lock.admit:
            return
        if is_moderator(room.demotions.role_of(claims)):
            return
        if lock.mode == "knock" and room.knocks.admit(claims.identity, now):
            name = claims.name if request.name is None else request.name
            room.tell_moderators(events.PeerKnocking(claims.identity, name))
        raise ProtocolError("room_locked", lock.message or None, mode=lock.mode)

    def _take_seat(self, message: Message, request: SeatRequest, params: Join) -> JoinResult:
        self._auth.accept(message.caller, request.claims)
        participant = self._sessions.create_or_join(request)
        message.corks = True
        room = participant.session.room
        assert room is not None, "create_or_join gave it"
        for producer in params.producers:
            self._publishing.create(room, participant, producer)
        return self._snapshot(room, participant)

    async def _join_with_offer(
        self, message: Message, request: SeatRequest, params: Join, offer: JoinOffer
    ) -> JoinResult:
        """Media first: a join whose offer is bad has changed nothing."""
        session = message.session
        try:
            with ProtocolError.below("offer"):
                self._negotiation.check(offer.sdp)
            media = self._streams.choose_node(request.room)
            return await self._negotiate_and_sit(message, request, params, offer, media)
        finally:
            session.is_joining = False
            self._joining[request.claims.identity] -= 1
            if not self._joining[request.claims.identity]:
                del self._joining[request.claims.identity]

    async def _negotiate_and_sit(
        self, message: Message, request: SeatRequest, params: Join, offer: JoinOffer, media: MediaNode
    ) -> JoinResult:
        handle = TransportHandle(media.node, request.room, request.peer, offer.transport)
        try:
            with ProtocolError.below("offer"):
                answer = await self._negotiation.offer(media, handle, offer.direction, offer.sdp)
            if message.session.state not in ("new", "authed"):
                raise ProtocolError("wrong_state", "the session has gone on or ended meanwhile")
            self._check(request, params, message.now)  # much may have happened while the media node worked
            result = self._take_seat(message, request, params)
        except ProtocolError:
            media.close_transport(handle)
            raise
        room, participant = message.seat
        self._streams.assign_node(room)
        transport = self._publishing.transport(room, participant, offer.transport)
        transport.direction, transport.generation = offer.direction, offer.generation
        transport.answer = self._negotiation.result(answer, offer.generation, participant.identity)
        result.answer = JoinAnswer(offer.transport, answer.sdp, offer.generation)
        return result

    def _resume(self, message: Message, claims: Claims, room: str, resume: Resume) -> JoinResult:
        session, missed = self._sessions.resume(
            message.session, claims.identity, room, resume.ticket, resume.last_seq
        )
        message.caller.session = session
        message.caller.connection.authenticated = True
        message.corks = True
        self._auth.accept(message.caller, claims)
        result = self._snapshot(*message.seat)
        result.resumed = True
        result.missed = "snapshot" if missed is None else [Raw(event) for event in missed]
        return result

    def _snapshot(self, room: Room, participant: Participant) -> JoinResult:
        session = participant.session
        return JoinResult(
            session=SessionInfo(
                session.session_id,
                session.ticket,
                self._settings.gateway.ping_ms,
                self._settings.rooms.grace_ms,
            ),
            you=You(
                participant.peer,
                participant.identity,
                participant.role,
                participant.effective_grants,
                self._publishing.own(participant),
            ),
            room=room.head,
            peers=[each.info for each in room.visible_participants() if each is not participant],
            producers=[each.info for each in room.producers_for(participant)],
            ice_servers=self._streams.ice_servers(participant.identity),
            seq=session.last_seq,
            resumed=False,
        )

    # --- staying and going ---

    def leave(self, message: Message, params: Leave) -> Empty:
        message.seat  # noqa: B018  # raises for a caller that has none
        session = message.session
        self._sessions.end(session, "left")
        message.then_close = (CloseCode.NORMAL, "left")
        return Empty()

    def disconnect(self, message: Message, params: Disconnect) -> DisconnectResult | Empty:
        if not params.keep:
            return self.leave(message, Leave())
        ends = self._sessions.lose(message.session, message.now)
        message.then_close = (CloseCode.NORMAL, "kept")
        return DisconnectResult(int((self._wall() + ends - message.now) * 1000))

    def heartbeat(self, message: Message, params: Heartbeat) -> HeartbeatResult:
        session = message.session
        if params.seq_seen is not None:
            self._sessions.acknowledge(session, params.seq_seen)
        return HeartbeatResult(params.t, int(self._wall() * 1000), session.last_seq)

    # --- looking ---

    def room_info(self, message: Message, params: RoomInfo) -> RoomInfoResult | Unchanged:
        own = message.session.room
        if own is not None and params.room in (None, own.id):
            room = own
        else:
            if params.room is None:
                raise ProtocolError("wrong_state", "join a room, or name one")
            claims = message.session.claims
            require(claims, "roomList")
            if claims is not None:
                self._rulings.check_token(claims, self._wall())
            found = self._sessions.rooms.get(params.room)
            if found is None:
                if url := self._elsewhere(params.room, message.caller.connection.host):
                    what = f"if there is such a room, it is at {url}"
                    raise ProtocolError("not_found", what, retry="elsewhere", url=url)
                raise ProtocolError("not_found", "there is no such room")
            room = found
        if params.if_version == room.version:
            return Unchanged(True)
        message.work = len(room.participants) + len(room.producers)
        fields = params.fields or ["counts", "peers", "producers"]
        result = RoomInfoResult(room.head, room.version)
        present = room.visible_participants()
        viewer = message.session.participant if room is own else None
        start = self._page_start(params.cursor)
        if "counts" in fields:
            producers = sum(self._may_list(room, viewer, each) for each in room.producers)
            result.counts = {"peers": len(present), "producers": producers}
        if "peers" in fields:
            result.peers = [each.info for each in present[start : start + PAGE]]
        if "producers" in fields:
            page = present[start : start + PAGE]
            result.producers = [
                producer.info
                for each in page
                for producer in each.producers.values()
                if self._may_list(room, viewer, producer)
            ]
        if start + PAGE < len(present) and ("peers" in fields or "producers" in fields):
            result.cursor = str(start + PAGE)
        return result

    def _may_list(self, room: Room, viewer: Participant | None, producer: Producer) -> bool:
        """Whether a producer is shown to a participant, or (None) to an outsider with roomList."""
        return producer.allow is None if viewer is None else room.may_see(viewer, producer)

    def _page_start(self, cursor: str | None) -> int:
        if cursor is None:
            return 0
        if not cursor.isascii() or not cursor.isdigit():
            raise ProtocolError("invalid_params", "this is no cursor of roomInfo", path="$.cursor")
        return int(cursor)
