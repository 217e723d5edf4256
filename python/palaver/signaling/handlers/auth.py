"""AuthHandler: authentication and token life cycle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from palaver.protocol.close_codes import CloseCode
from palaver.protocol.codec import MAX_BATCH, MAX_NESTING
from palaver.protocol.errors import ProtocolError
from palaver.protocol.methods.auth import Auth, AuthResult
from palaver.rooms.role import Claims
from palaver.settings import Settings
from palaver.signaling.message import Caller, Message
from palaver.signaling.router import Verb
from palaver.signaling.tokens import TokenVerifier

MAX_FAILURES: Final = 3


class AuthHandler:
    def __init__(self, verifier: TokenVerifier, settings: Settings, server: dict[str, str]) -> None:
        self._verifier = verifier
        self._settings = settings
        self._server = server
        self._limits = {
            "messageBytes": settings.gateway.max_message_bytes,
            "sdpBytes": settings.limits.sdp_bytes,
            "batch": MAX_BATCH,
            "nesting": MAX_NESTING,
            "producers": settings.limits.producers_per_peer,
            "consumers": settings.limits.consumers_per_peer,
            "transports": settings.limits.transports_per_peer,
        }

    @property
    def routes(self) -> Mapping[str, Verb]:
        return {"auth": self.auth}

    def authenticate(self, caller: Caller, token: str) -> Claims:
        """Lets a new session in on a good token. Raises ProtocolError for a bad one; the session stays new."""
        claims = self._verifier.verify(token)
        caller.session.claims = claims
        caller.session.happen("auth")
        caller.connection.authenticated = True
        return claims

    def authenticate_or_close(self, message: Message, token: str) -> Claims:
        """Like `authenticate`; the third failure also closes the connection (protocol § 5, auth)."""
        try:
            return self.authenticate(message.caller, token)
        except ProtocolError:
            message.session.failed_auths += 1
            if message.session.failed_auths >= MAX_FAILURES:
                message.then_close = (CloseCode.BAD_TOKEN, "three bad tokens")
            raise

    def renew(self, message: Message, token: str) -> None:
        """Takes a newer token of the same identity. Raises ProtocolError forbidden for another's."""
        claims = self._verifier.verify(token)
        if claims.identity != message.session.client_id:
            raise ProtocolError("forbidden", "a token never changes the identity of a session")
        message.session.claims = claims

    def auth(self, message: Message, params: Auth) -> AuthResult:
        claims = self.authenticate_or_close(message, params.token)
        return AuthResult(
            session=message.session.session_id,
            identity=claims.identity,
            name=claims.name,
            grants=claims.wire_grants(),
            expires_at=int(claims.expires_at),
            server=self._server,
            ping_ms=self._settings.gateway.ping_ms,
            grace_ms=self._settings.rooms.grace_ms,
            limits=self._limits,
        )
