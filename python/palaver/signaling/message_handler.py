"""SignalingMessageHandler: the message path on one page: decode → admit → route → reply → tell the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from functools import partial
from types import CoroutineType
from typing import Any, Final

from msgspec import UNSET, Raw

from palaver.observe import Histogram
from palaver.observe.histogram import JOIN_SECONDS, REQUEST_SECONDS
from palaver.observe.trace import traced
from palaver.protocol.close_codes import CloseCode
from palaver.protocol.codec import JSON, MSGPACK, Codec, Envelope, Refused
from palaver.protocol.errors import ProtocolError
from palaver.protocol.methods.session import Join
from palaver.protocol.methods.table import METHODS
from palaver.protocol.methods.transport import IceCandidate, SdpAnswer, SdpOffer
from palaver.protocol.types import Params
from palaver.rooms.session_manager import SessionManager
from palaver.settings import LiveSettings
from palaver.signaling.admission import AdmissionController, Shed
from palaver.signaling.handlers.auth import AuthHandler
from palaver.signaling.message import Caller, Message
from palaver.signaling.ports import Connection
from palaver.signaling.router import Outcome, SignalingRouter

log = logging.getLogger(__name__)

MAX_REFUSALS: Final = 100
"""Requests over a rate limit in a row, with none that succeeds between them, that close with 4013."""
Respond = Callable[[bytes | None, Message | None], None]
"""Takes a reply (None for a notification's), and the message whose events may follow once the reply is out."""


class SignalingMessageHandler:
    """Interprets messages. The gateway calls `connected`, `received` and `disconnected`, all on one loop.

    `spawn` runs a coroutine that waits for the media node; `clock` is monotonic seconds.
    """

    def __init__(
        self,
        router: SignalingRouter,
        admission: AdmissionController,
        sessions: SessionManager,
        auth: AuthHandler,
        settings: LiveSettings,
        clock: Callable[[], float],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self.errors: dict[str, int] = {}
        """Reason → error replies, for metrics."""
        self.seconds = {method: Histogram(REQUEST_SECONDS) for method in METHODS}
        """How long requests take from decoded to decided, media nodes included."""
        self.join_seconds = Histogram(JOIN_SECONDS)
        """How long it takes from a socket to a seat."""
        self._router = router
        self._admission = admission
        self._sessions = sessions
        self._auth = auth
        self._settings = settings
        self._clock = clock
        self._spawn = spawn
        self._callers: dict[int, Caller] = {}

    # --- what the gateway calls ---

    def connected(self, connection: Connection) -> None:
        caller = self._admission.new_caller(connection, self._sessions.new_session(connection))
        caller.since = self._clock()
        self._callers[connection.id] = caller
        if connection.bearer is not None:
            try:
                self._auth.authenticate(caller, connection.bearer)
            except ProtocolError as error:
                connection.close(CloseCode.BAD_TOKEN, str(error))

    def received(self, connection: Connection, message: bytes | bytearray | memoryview) -> None:
        """Decides one whole message; every request in it with an id gets exactly one reply."""
        caller = self._callers[connection.id]
        faults = self._sessions.faults
        if faults.active and faults.cuts_off(caller.session):
            return
        codec = MSGPACK if connection.binary else JSON
        requests, is_batch = codec.requests(bytes(message))
        if not is_batch:
            self._decide(caller, codec, requests[0], partial(self._send, connection))
            return
        gather = _Batch(codec, len(requests), partial(self._send, connection))
        for request in requests:
            self._decide(caller, codec, request, gather.add)

    def disconnected(self, connection: Connection, code: int) -> None:
        """The socket is gone, whoever closed it: a seat is kept for the grace period."""
        session = self._callers.pop(connection.id).session
        if session.sink is not connection:
            return  # another socket has taken the session over, or it has ended
        if session.state == "joined":
            self._sessions.lose(session, self._clock())
        else:
            self._sessions.end(session, "left")

    # --- the founding doors: the same table, one method each ---

    def handle_join(self, caller: Caller, join: Join) -> Outcome:
        return self._enter(caller, "join", join)

    def handle_offer(self, caller: Caller, offer: SdpOffer) -> Outcome:
        return self._enter(caller, "sdpOffer", offer)

    def handle_answer(self, caller: Caller, answer: SdpAnswer) -> Outcome:
        return self._enter(caller, "sdpAnswer", answer)

    def handle_ice(self, caller: Caller, candidates: IceCandidate) -> Outcome:
        return self._enter(caller, "iceCandidate", candidates)

    def _enter(self, caller: Caller, method: str, params: Params) -> Outcome:
        message = Message(caller, JSON, method, UNSET, Raw(b""), self._clock())
        message.params = params
        return self._router.route(message)

    # --- the path ---

    def _decide(self, caller: Caller, codec: Codec, request: Envelope | Refused, respond: Respond) -> None:
        now = self._clock()
        if isinstance(request, Refused):
            id = None if request.id is UNSET else request.id
            reply = self._refuse(caller, codec, id, request.error, now)
            respond(reply if request.id is not UNSET else None, None)
            return
        message = Message(caller, codec, request.method, request.id, request.params, now)
        if request.traceparent is UNSET:
            self._route(message, respond)
        else:
            with traced(request.traceparent):
                self._route(message, respond)

    def _route(self, message: Message, respond: Respond) -> None:
        try:
            outcome = self._router.route(message)
        except Exception as error:
            self._fail(message, error, respond)
            return
        if isinstance(outcome, CoroutineType):
            self._spawn(self._wait(message, outcome, respond))
        else:
            self.seconds[message.method].observe(self._clock() - message.now)
            self._succeed(message, outcome, respond)

    async def _wait(self, message: Message, outcome: Coroutine[Any, Any, Any], respond: Respond) -> None:
        try:
            result = await outcome
        except Exception as error:
            self._fail(message, error, respond)
        else:
            self.seconds[message.method].observe(self._clock() - message.now)
            self._succeed(message, result, respond)

    def _succeed(self, message: Message, result: Any, respond: Respond) -> None:
        message.caller.refusals = 0
        respond(message.codec.reply(message.id, result) if message.id is not UNSET else None, message)

    def _fail(self, message: Message, error: Exception, respond: Respond) -> None:
        if not isinstance(error, ProtocolError):
            reference = self._sessions.new_id("e")
            log.exception("handler failed", extra={"method": message.method, "ref": reference})
            error = ProtocolError("internal", ref=reference)
        id = None if message.id is UNSET else message.id
        reply = self._refuse(message.caller, message.codec, id, error, message.now)
        respond(reply if message.id is not UNSET else None, message)

    def _settle(self, message: Message) -> None:
        """After the reply: the events it caused, then the close it asked for."""
        session = message.session
        if message.corks:
            self.join_seconds.observe(self._clock() - message.caller.since)
            session.uncork()
        self._sessions.deliver_all()
        if message.then_close is not None:
            message.caller.connection.close(*message.then_close)

    def _refuse(
        self, caller: Caller, codec: Codec, id: int | str | None, error: ProtocolError, now: float
    ) -> bytes:
        self.errors[error.reason] = self.errors.get(error.reason, 0) + 1
        if error.reason == "rate_limited":
            caller.refusals += not isinstance(error, Shed)
        else:
            recent = [
                when for when in caller.errors if when > now - self._settings.limits.error_window_seconds
            ]
            caller.errors = [*recent, now]
        return codec.failure(id, error)

    def _send(self, connection: Connection, reply: bytes | None, *messages: Message | None) -> None:
        if reply is not None:
            connection.send(reply)
        for message in messages:
            if message is not None:
                self._settle(message)
        caller = self._callers.get(connection.id)
        if caller is None:
            return
        if len(caller.errors) >= self._settings.limits.errors_per_window:
            connection.close(CloseCode.TOO_MANY_ERRORS, "too many errors")
        elif caller.refusals > MAX_REFUSALS:
            connection.close(CloseCode.RATE_LIMITED, "it goes on over its rate limit")


class _Batch:
    """Gathers the replies of a batch and sends them together (JSON-RPC 2.0 § 6); events follow the whole batch."""

    def __init__(self, codec: Codec, waiting: int, send: Callable[..., None]) -> None:
        self._codec = codec
        self._waiting = waiting
        self._send = send
        self._replies: list[bytes] = []
        self._messages: list[Message | None] = []

    def add(self, reply: bytes | None, message: Message | None) -> None:
        self._waiting -= 1
        self._messages.append(message)
        if reply is not None:
            self._replies.append(reply)
        if self._waiting == 0:
            self._send(self._codec.batch(self._replies) if self._replies else None, *self._messages)
