"""SignalingMessageHandler: the message path on one page: decode → admit → route → reply → tell the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from types import CoroutineType
from typing import Any, Final

from msgspec import UNSET, UnsetType

from palaver.observe import Histogram
from palaver.observe.histogram import JOIN_SECONDS, REQUEST_SECONDS
from palaver.observe.trace import traced
from palaver.protocol.close_codes import CloseCode
from palaver.protocol.codec import JSON, MSGPACK, Codec
from palaver.protocol.errors import ProtocolError
from palaver.protocol.methods.session import Join
from palaver.protocol.methods.table import METHODS
from palaver.protocol.methods.transport import IceCandidate, SdpAnswer, SdpOffer
from palaver.protocol.request import Envelope, Refused, Request
from palaver.protocol.types import Params
from palaver.rooms.session_manager import SessionManager
from palaver.settings import LiveSettings
from palaver.signaling.admission import LARGE_BYTES, AdmissionController, Shed
from palaver.signaling.handlers.auth import AuthHandler
from palaver.signaling.message import Batch, Caller, Message
from palaver.signaling.ports import Connection, Elsewhere, Span, Tracer
from palaver.signaling.relays import Relays
from palaver.signaling.router import Outcome, SignalingRouter

log = logging.getLogger(__name__)

MAX_REFUSALS: Final = 100
"""Requests over a rate limit in a row, with none that succeeds between them, that close with 4013."""


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
        tracer: Tracer | None = None,
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
        self._tracer = tracer
        self._callers: dict[int, Caller] = {}
        self._relays = Relays(admission, settings, router.calls, self.seconds, clock)

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

    def received(self, connection: Connection, message: bytes) -> None:
        """Decides one whole message; every request in it with an id gets exactly one reply."""
        self.received_together(connection, [message])

    def received_together(self, connection: Connection, messages: list[bytes]) -> None:
        """The same for messages that came in one piece, in their order, until the connection closes."""
        caller = self._callers[connection.id]
        faults = self._sessions.faults
        at, count = 0, len(messages)
        while at < count:
            message = messages[at]
            if faults.active and faults.cuts_off(caller.session):
                return
            if len(message) > LARGE_BYTES and not self._admission.admits_large(
                caller, len(message), self._clock()
            ):
                connection.close(CloseCode.RATE_LIMITED, "it sends more bytes than it may")
                return
            taken = 0
            if not (connection.binary or faults.active or self._tracer):
                taken = self._relays.take(caller, messages, at)
            if taken == 0:
                self._read(caller, MSGPACK if connection.binary else JSON, message)
                taken = 1
            at += taken
            if not connection.is_open:
                return

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
        return self._router.route(Message(caller, JSON, method, UNSET, self._clock(), 0, params))

    # --- the path ---

    def _read(self, caller: Caller, codec: Codec, message: bytes) -> None:
        request = codec.request(message)
        if request is not None:
            self._decide(caller, codec, request, len(message), None)
            return
        requests, is_batch = codec.requests(message)
        batch = self._begin_batch(caller, codec, len(requests)) if is_batch else None
        for each in requests:
            if isinstance(each, Refused):
                reply = self._refuse(caller, codec, each.id, each.error, self._clock())
                self._respond(caller, reply, None, batch)
            else:
                self._decide(caller, codec, each, len(memoryview(each.params)), batch)

    def _decide(
        self, caller: Caller, codec: Codec, request: Request | Envelope, size: int, batch: Batch | None
    ) -> None:
        now = self._clock()
        if isinstance(request, Envelope):
            message = Message(caller, codec, request.method, request.id, now, size, raw=request.params)
        else:
            message = Message(caller, codec, request.method, request.id, now, size, request.params)
        if self._tracer is not None:
            message.span = self._begin_span(self._tracer, request, message)
        if request.traceparent is UNSET:
            self._route(message, batch)
        else:
            with traced(request.traceparent):
                self._route(message, batch)

    def _route(self, message: Message, batch: Batch | None) -> None:
        try:
            outcome = self._router.route(message)
        except Exception as error:
            self._fail(message, error, batch)
            return
        if type(outcome) is CoroutineType:
            message.caller.waiting[message] = batch
            self._spawn(self._wait(message, outcome, batch))
        else:
            self._succeed(message, outcome, batch)

    async def _wait(self, message: Message, outcome: Coroutine[Any, Any, Any], batch: Batch | None) -> None:
        try:
            result = await outcome
        except Exception as error:
            if message.caller.take_waiting(message):
                self._fail(message, error, batch)
        else:
            if message.caller.take_waiting(message):
                self._succeed(message, result, batch)

    def _answer_waiting(self, caller: Caller) -> None:
        """Before the socket closes: what the media node still works on is answered, too."""
        waiting, caller.waiting = caller.waiting, {}
        for message, batch in waiting.items():
            if message.session.state == "gone":
                error = ProtocolError("wrong_state", "the session ended meanwhile")
            else:
                error = ProtocolError("unavailable", "the socket closes; ask again on the next")
            self._fail(message, error, batch)

    def _succeed(self, message: Message, result: Any, batch: Batch | None) -> None:
        caller = message.caller
        self.seconds[message.method].observe(self._clock() - message.now)
        caller.refusals = 0
        if message.span is not None:
            message.span.end(message.session.session_id, message.session.room_id)
        reply = None if message.id is UNSET else message.codec.reply(message.id, result)
        self._respond(caller, reply, message, batch)

    def _fail(self, message: Message, error: Exception, batch: Batch | None) -> None:
        if isinstance(
            error, Elsewhere
        ):  # the close is the answer: a reply would be one that clients give up at
            if message.span is not None:
                message.span.end(message.session.session_id, message.session.room_id)
            message.then_close = (CloseCode.SHUTDOWN, f"go to {error.url}")
            self._respond(message.caller, None, message, batch)
            return
        if not isinstance(error, ProtocolError):
            reference = self._sessions.new_id("e")
            log.exception("handler failed", extra={"method": message.method, "ref": reference})
            error = ProtocolError("internal", ref=reference)
        if message.span is not None:
            message.span.end(message.session.session_id, message.session.room_id, error.code, error.reason)
        reply = self._refuse(message.caller, message.codec, message.id, error, message.now)
        self._respond(message.caller, reply, message, batch)

    def _respond(
        self, caller: Caller, reply: bytes | None, message: Message | None, batch: Batch | None
    ) -> None:
        """Sends a reply (None for a notification's), or what a batch has gathered once this was the last of it; then
        the events that the messages caused."""
        if batch is None:
            if reply is not None:
                caller.connection.send(reply)
            if message is not None:
                self._settle(message)
        elif batch.add(reply, message):
            if batch.replies:
                caller.connection.send(batch.codec.batch(batch.replies))
            caller.batches -= 1
            if not caller.batches and caller.session.sink is caller.connection:
                caller.session.uncork()
            for each in batch.messages:
                self._settle(each)
        else:
            return
        if caller.errors or caller.refusals:
            self._judge(caller)

    def _begin_batch(self, caller: Caller, codec: Codec, count: int) -> Batch:
        """Events wait until all of a batch is answered, whoever caused them: media nodes may take their time."""
        caller.batches += 1
        if caller.session.room is not None and not caller.session.corked:
            caller.session.room.deliver()
            caller.session.cork()
        return Batch(codec, count)

    @staticmethod
    def _begin_span(tracer: Tracer, request: Request | Envelope, message: Message) -> Span:
        """Named after the method, or "unknown": clients do not make up names for spans."""
        method = request.method if request.method in METHODS else "unknown"
        traceparent = None if request.traceparent is UNSET else request.traceparent
        return tracer.begin(method, traceparent, message.session.room_id)

    def _settle(self, message: Message) -> None:
        """After the reply: the events it caused, then the close it asked for."""
        if message.corks:
            self.join_seconds.observe(self._clock() - message.caller.since)
            message.session.uncork()
        self._sessions.deliver_all()
        if message.then_close is not None:
            self._answer_waiting(message.caller)
            message.caller.connection.close(*message.then_close)

    def _refuse(
        self, caller: Caller, codec: Codec, id: int | str | UnsetType | None, error: ProtocolError, now: float
    ) -> bytes | None:
        """Counts a refusal, and returns the reply that says so; None for a notification's, which is not answered."""
        self.errors[error.reason] = self.errors.get(error.reason, 0) + 1
        if error.reason == "rate_limited":
            caller.refusals += not isinstance(error, Shed)
        else:
            recent = [
                when for when in caller.errors if when > now - self._settings.limits.error_window_seconds
            ]
            caller.errors = [*recent, now]
        return None if id is UNSET else codec.failure(id, error)

    def _judge(self, caller: Caller) -> None:
        """Closes a connection whose requests are refused too often."""
        if len(caller.errors) >= self._settings.limits.errors_per_window:
            caller.connection.close(CloseCode.TOO_MANY_ERRORS, "too many errors")
        elif caller.refusals > MAX_REFUSALS:
            caller.connection.close(CloseCode.RATE_LIMITED, "it goes on over its rate limit")
