"""AuthHandler: authentication and token life cycle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, get_args

import msgspec

from palaver.protocol import events
from palaver.protocol.close_codes import CloseCode
from palaver.protocol.codec import MAX_BATCH, MAX_NESTING
from palaver.protocol.errors import ProtocolError
from palaver.protocol.methods.auth import (
    Auth,
    AuthResult,
    RefreshToken,
    RefreshTokenResult,
    ValidateToken,
    ValidateTokenResult,
)
from palaver.protocol.types import Role, Source
from palaver.rooms.role import Claims, Need
from palaver.rooms.session import SignalingSession
from palaver.rooms.session_manager import SessionManager
from palaver.settings import LiveSettings
from palaver.signaling.admission import require, require_moderator, require_publishing
from palaver.signaling.message import Caller, Message
from palaver.signaling.router import Verb
from palaver.signaling.rulings import Rulings
from palaver.signaling.stream_router import StreamRouter
from palaver.signaling.tokens import TokenVerifier

MAX_FAILURES: Final = 3

_MEDIA: Final[tuple[Source, ...]] = tuple(source for source in get_args(Source) if source != "data")
_NEEDS: Final[dict[str, Need]] = {"subscribe": "canSubscribe", "diag": "diag", "chaos": "chaos"}
"""Of the actions for which a grant is all that their handler asks for, beside a seat."""


class AuthHandler:
    def __init__(
        self,
        verifier: TokenVerifier,
        rulings: Rulings,
        sessions: SessionManager,
        streams: StreamRouter,
        settings: LiveSettings,
        server: dict[str, str],
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self.tokens: dict[str, int] = {}
        """Tokens that were shown, by "accepted" or the reason of their refusal, for metrics."""
        self._verifier = verifier
        self._rulings = rulings
        self._sessions = sessions
        self._streams = streams
        self._settings = settings
        self._server = server
        self._clock = clock
        self._wall = wall

    @property
    def routes(self) -> Mapping[str, Verb]:
        return {"auth": self.auth, "validateToken": self.validate, "refreshToken": self.refresh}

    # --- what join uses, too ---

    def authenticate(self, caller: Caller, token: str) -> Claims:
        """Lets a new session in on a good token. Raises ProtocolError for a bad one; the session stays new."""
        claims = self._verify(token)
        self.accept(caller, claims)
        return claims

    def claims_of(self, message: Message, token: str | None) -> Claims:
        """Whom a request is from: a verified token of the same identity, or the session's own. Changes nothing but the
        count of bad tokens: the third on a new session closes (protocol § 5, auth). Raises ProtocolError.
        """
        session = message.session
        if token is None:
            if session.claims is None:
                raise ProtocolError("unauthenticated")
            return session.claims
        try:
            claims = self._verify(token)
        except ProtocolError:
            if session.state == "new":
                session.failed_auths += 1
                if session.failed_auths >= MAX_FAILURES:
                    message.then_close = (CloseCode.BAD_TOKEN, "three bad tokens")
            raise
        if session.client_id not in (None, claims.identity):
            raise ProtocolError("forbidden", "a token never changes the identity of a session")
        return claims

    def accept(self, caller: Caller, claims: Claims) -> None:
        """Makes verified claims those of the caller's session, new or known."""
        session = caller.session
        if session.state == "new":
            session.happen("auth")
            caller.connection.authenticated = True
        if session.claims is not claims:
            self._take(session, claims)

    def check_standing(self, claims: Claims, room: str | None) -> None:
        """Raises ProtocolError token_revoked or banned, as a join of the room would; without one, of the token's room."""
        where, now = room or claims.grants.room, self._wall()
        self._rulings.check_token(claims, now, where)
        self._rulings.check_ban(claims.identity, where, now)

    # --- the verbs ---

    def auth(self, message: Message, params: Auth) -> AuthResult:
        claims = self.claims_of(message, params.token)
        self.accept(message.caller, claims)
        return AuthResult(
            session=message.session.session_id,
            identity=claims.identity,
            name=claims.name,
            grants=claims.wire_grants(),
            expires_at=int(claims.expires_at),
            server=self._server,
            ping_ms=self._settings.gateway.ping_ms,
            grace_ms=self._settings.rooms.grace_ms,
            limits=self._shown_limits(),
        )

    def validate(self, message: Message, params: ValidateToken) -> ValidateTokenResult:
        """Looks at a token, one's own or (as an administrator) any. Changes nothing."""
        own = message.session.claims
        assert own is not None, "admission lets only authenticated sessions here"
        claims = own
        if params.token is not None:
            try:
                claims = self._verify(params.token)
            except ProtocolError as error:
                return ValidateTokenResult(False, None, False, error.reason)
            if claims.identity != own.identity:
                require_moderator(
                    self._role(message.session, own, message.session.room_id or own.grants.room)
                )
        else:
            try:
                self._rulings.check_token(own, self._wall())
            except ProtocolError as error:
                return ValidateTokenResult(False, self._shown(own), False, error.reason)
        try:
            self._require(message.session, claims, params)
        except ProtocolError as error:
            return ValidateTokenResult(
                True, self._shown(claims), False, error.extra.get("need", error.reason)
            )
        return ValidateTokenResult(True, self._shown(claims), True, None)

    def _require(self, session: SignalingSession, claims: Claims, params: ValidateToken) -> None:
        """Raises ProtocolError where the handler of the action would, as far as tokens, roles and rulings go."""
        action = params.action
        if action == "list":
            require(claims, "roomList")
            return
        room = params.room or session.room_id or claims.grants.room
        if not claims.grants.admits(room):
            raise ProtocolError("forbidden", need="room" if claims.grants.room_join else "roomJoin")
        self.check_standing(claims, room)
        role = self._role(session, claims, room)
        if action == "publish":
            allowed = [each for each in _MEDIA if claims.grants.may_publish(each)]
            require_publishing(claims.grants, role, allowed[0] if allowed else _MEDIA[0])
        elif action == "publishData":
            require_publishing(claims.grants, role, "data")
        elif action == "admin":
            require_moderator(role)
        elif action == "chaos" and not self._settings.diagnostics.chaos:
            raise ProtocolError("forbidden", need="chaos")
        elif action != "join":
            require(claims, _NEEDS[action])

    def _role(self, session: SignalingSession, claims: Claims, room: str) -> Role:
        """The role that somebody has in a room: that of the seat for who asks from there, else that of a join."""
        seat = session.participant
        if seat is not None and session.room_id == room and seat.identity == claims.identity:
            return seat.role
        return self._sessions.role_at(room, claims)

    def refresh(self, message: Message, params: RefreshToken) -> RefreshTokenResult:
        """Takes the client's newer token, or makes one where this node has the secret to sign with."""
        session = message.session
        fresh = None
        if params.token is not None:
            newer = self.claims_of(message, params.token)
            if session.room_id is not None and not newer.grants.admits(session.room_id):
                raise ProtocolError("forbidden", "the token is not for the room that you are in", need="room")
            self.check_standing(newer, session.room_id)
            self.accept(message.caller, newer)
        else:
            assert session.claims is not None, "admission lets only authenticated sessions here"
            self.check_standing(session.claims, session.room_id)
            fresh = self._verifier.reissue(session.claims)
            if fresh is None:
                raise ProtocolError("forbidden", "this node cannot sign for your key: bring a token")
            self._take(session, self._verifier.verify(fresh))
        claims = session.claims
        assert claims is not None, "it was just taken"
        servers = self._streams.ice_servers(claims.identity)
        return RefreshTokenResult(int(claims.expires_at), servers, fresh)

    # --- a token's life ---

    def _verify(self, token: str) -> Claims:
        try:
            claims = self._verifier.verify(token)
            self._rulings.check_token(claims, self._wall())
        except ProtocolError as error:
            self._count(error.reason)
            raise
        self._count("accepted")
        return claims

    def _count(self, outcome: str) -> None:
        self.tokens[outcome] = self.tokens.get(outcome, 0) + 1

    def _take(self, session: SignalingSession, claims: Claims) -> None:
        session.claims = claims
        if session.room is not None and session.participant is not None:
            session.room.set_grants(session.participant, claims.grants)
        self._watch(session, claims)

    def _watch(self, session: SignalingSession, claims: Claims) -> None:
        """Sets the timer of the token's half life, which sets that of its end."""
        when = self._clock() + self._life_of(claims) / 2
        session.set_token_timers([self._sessions.timers.at(when, partial(self._half_life, session))])

    def _life_of(self, claims: Claims) -> float:
        """Seconds that are left to a token."""
        return max(0.0, claims.expires_at - self._wall())

    def _half_life(self, session: SignalingSession) -> None:
        """Pushes `youToken`, after looking again whether the session may stay (protocol § 5, refreshToken)."""
        claims, room, participant = session.claims, session.room, session.participant
        if claims is not None:
            end = self._clock() + self._life_of(claims) + self._settings.auth.leeway_seconds
            session.set_token_timers([self._sessions.timers.at(end, partial(self._expire, session))])
        if claims is None or room is None or participant is None:
            return
        try:
            self.check_standing(claims, room.id)
        except ProtocolError as error:
            code = CloseCode.BANNED if error.reason == "banned" else CloseCode.BAD_TOKEN
            sink = session.sink
            self._sessions.end(session, "kicked")
            if sink is not None:
                sink.close(code, str(error))
            return
        fresh = self._verifier.reissue(claims)
        if fresh is not None:
            claims = self._verifier.verify(fresh)
            self._take(session, claims)
        room.tell(events.YouToken(int(claims.expires_at), fresh), to=participant.peer)

    def _expire(self, session: SignalingSession) -> None:
        if session.sink is not None:
            session.sink.close(CloseCode.TOKEN_EXPIRED, "the token has expired")

    def _shown_limits(self) -> dict[str, int]:
        limits = self._settings.limits
        return {
            "messageBytes": self._settings.gateway.max_message_bytes,
            "sdpBytes": limits.sdp_bytes,
            "batch": MAX_BATCH,
            "nesting": MAX_NESTING,
            "producers": limits.producers_per_peer,
            "consumers": limits.consumers_per_peer,
            "transports": limits.transports_per_peer,
            "mediaTransports": limits.media_transports_per_peer,
        }

    def _shown(self, claims: Claims) -> dict[str, Any]:
        shown: dict[str, Any] = msgspec.to_builtins(claims)
        return {
            "identity": shown["identity"],
            "name": shown["name"],
            "role": shown["role"],
            "expiresAt": int(claims.expires_at),
            "grants": shown["grants"],
        }
