"""The engine of a client: one session over one socket after another.

It connects, joins, keeps the room's picture, sends requests and their repeats, beats, notices gaps, and comes
back after a loss, where it was or where the node has sent it: with the old session while a node still has that, else
by joining afresh. `Client` is its face.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
import time
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Literal

from palaver.client.calls import OF_ONE_SOCKET, Call, Calls
from palaver.client.errors import ClientError, ConnectionLost, RequestRefused, RequestTimeout, SessionLost
from palaver.client.events import Event, EventStream
from palaver.client.room import Room
from palaver.client.route import Route
from palaver.client.websocket import WebSocket
from palaver.client.wire import Codec, Encoding, Message
from palaver.protocol.close_codes import CloseCode

Token = str | Callable[[], Awaitable[str]]
State = Literal["new", "open", "joined", "reconnecting", "closed"]

BACKOFF_SECONDS = 0.5
BACKOFF_LIMIT_SECONDS = 10.0
"""The wait before the n-th attempt is drawn from 0 … min(limit, 0.5 · 2ⁿ): full jitter spreads a restarted
node's clients.
"""
MAX_SENT = 4
"""How often the first attempt follows a node that names another: more is a circle."""
SILENT_BEATS = 3
"""Heartbeats in a row without a word from the node after which the socket is given up. Counted, not timed: a
loop that stood still has not heard anything either.
"""

_log = logging.getLogger(__name__)


class Session:
    """After `open` you must call `end`, then `await closed()`."""

    def __init__(
        self,
        url: str,
        token: Token,
        *,
        encoding: Encoding,
        reconnect: bool,
        timeout: float,
        tls: ssl.SSLContext | None,
        headers: dict[str, str] | None,
        chance: random.Random,
    ) -> None:
        self._route = Route(url)
        self.state: State = "new"
        self.room: Room | None = None
        self.events = EventStream()
        self.listeners: dict[str, dict[object, Callable[[Event], None]]] = {}
        self.rtt_seconds: float | None = None
        self.join_params: dict[str, Any] = {}
        self._token = token
        self._codec = Codec(encoding)
        self._may_reconnect = reconnect
        self._timeout = timeout
        self._tls = tls
        self._headers = headers
        self._chance = chance
        self._line: _Line | None = None
        self._lines: set[_Line] = set()
        self._calls = Calls()
        self._ticket: str | None = None
        self._ticket_from = url
        self._seq = 0
        self._heard = False
        self._ended = False
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def url(self) -> str:
        """The address of the node that has the session, or that is tried next."""
        return self._route.current

    # what the client asks for

    async def open(self) -> None:
        """Opens a socket if there is none. Raises: ConnectionLost."""
        if self._ended:
            raise ClientError("this client is closed; make a new one")
        if self._line is None:
            line = _Line(self)
            line.socket = await WebSocket.connect(
                self.url, line, seconds=min(10.0, self._timeout), tls=self._tls, headers=self._headers
            )
            if line.lost is not None:  # it was closed before we got here
                raise line.lost
            self._lines.add(line)
            if self._ended:
                line.socket.close()
                raise ClientError("the client was closed meanwhile")
            self._line = line
            if self.state == "new":
                self.state = "open"

    async def enter(self) -> None:
        """The first attempt, which follows nodes that name the one to go to: the owner of the room, say."""
        for _ in range(MAX_SENT):
            try:
                await self.attempt()
                return
            except ConnectionLost as error:
                if not self._route.sent(error):
                    raise
                self._route.next()
        await self.attempt()

    async def attempt(self) -> None:
        """Connects and joins, with the old session if it can be had."""
        await self.open()
        params = self.join_params | {"token": await self.token()}
        if self._ticket is not None:
            resume = {"ticket": self._ticket, "lastSeq": self._seq}
            try:
                await self.call_now("join", params | {"resume": resume}, self._joined)
                return
            except RequestRefused as error:
                if error.retry != "never":
                    raise
                if (
                    self.url == self._ticket_from
                ):  # another node may not know it, which says nothing about ours
                    self._ticket = None  # used, or too late
        await self.call_now("join", params, self._joined)

    async def token(self) -> str:
        return self._token if isinstance(self._token, str) else await self._token()

    async def call(self, method: str, params: dict[str, Any], seconds: float | None) -> dict[str, Any]:
        """Sends a request now, or after the resume that is under way.

        One that the node wants to have again in a while (`retry: "same"` with `afterMs`) is sent again then,
        as long as that is within its time.
        """
        deadline = asyncio.get_running_loop().time() + (seconds or self._timeout)
        while True:
            if self.state in ("new", "closed"):
                raise ConnectionLost(CloseCode.NORMAL, f"{method}: the client is not connected")
            call = self._calls.new(method, params)
            call.on_result = partial(self._note_own, call)
            if self.state != "reconnecting":
                self._send(call)
            left = deadline - asyncio.get_running_loop().time()
            try:
                return await self._calls.wait(call, left)
            except RequestRefused as error:
                if error.wait is None or error.wait > deadline - asyncio.get_running_loop().time():
                    raise
                await asyncio.sleep(error.wait)

    def _note_own(self, call: Call, result: dict[str, Any]) -> None:
        """No event says which producers you have made and closed yourself."""
        if self.room is not None and call.method == "createProducer":
            self.room.own.add(result["id"])
        elif self.room is not None and call.method == "closeProducer":
            self.room.own.discard(call.params["id"])

    async def call_now(
        self,
        method: str,
        params: dict[str, Any],
        on_result: Callable[[dict[str, Any]], None] | None = None,
        *,
        seconds: float | None = None,
    ) -> dict[str, Any]:
        """Sends a request on the socket of now, in whatever state."""
        if self._line is None:
            raise ConnectionLost(1006)
        call = self._calls.new(method, params)
        if on_result is not None:
            call.on_result = on_result
        self._send(call)
        return await self._calls.wait(call, seconds or self._timeout)

    def end(self, error: ClientError | None) -> None:
        """Ends the session for good."""
        if self.state == "closed":
            return
        self.state, self._ended = "closed", True
        for task in self._tasks.values():
            if task is not asyncio.current_task():
                task.cancel()
        if self._line is not None:
            self._line.socket.close()
        self._calls.fail(error or ConnectionLost(CloseCode.NORMAL, "you left"))
        self.events.end(error)

    async def closed(self) -> None:
        """Waits until nothing of an ended session is left."""
        tasks = [task for task in self._tasks.values() if task is not asyncio.current_task()]
        if tasks:
            await asyncio.wait(tasks)
        for line in list(self._lines):
            await line.closed.wait()

    # details: joining

    def _joined(self, reply: dict[str, Any]) -> None:
        self._ticket, self._ticket_from = reply["session"]["ticket"], self.url
        missed = reply.get("missed")
        resumed = self.room is not None and bool(reply.get("resumed"))
        again = self.room is not None
        changes: list[Event] = []
        waiting = list(self._calls)
        if self.room is None:
            self.room = Room(reply)
        elif resumed and isinstance(missed, list):
            self.room.resumed(reply)
            changes = [_event(one["method"], one.get("params", {})) for one in missed]
        else:
            if not resumed:
                self._calls.fail(SessionLost("the session was lost and the room joined afresh"))
            changes = self.room.replace(reply)
        self.state = "joined"
        self._seq = reply["seq"]
        for event in changes:
            self._emit(event, applied=not isinstance(missed, list))
        if again:
            self._emit(Event("resumed" if resumed else "rejoined", {}))
        if resumed:
            for call in waiting:
                self._send(call)
        self._beat(reply["session"]["pingMs"] / 1000)

    def _beat(self, interval: float) -> None:
        self._stop_beating()
        self._start("heartbeats", self._heartbeats(interval))

    def _stop_beating(self) -> None:
        beating = self._tasks.pop("heartbeats", None)
        if beating is not None:
            beating.cancel()

    def _start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        self._tasks[name] = asyncio.create_task(work, name=f"{name}: {self.url}")

    async def _heartbeats(self, interval: float) -> None:
        self._heard, silent = True, 0
        await asyncio.sleep(interval)
        while True:
            silent = 0 if self._heard else silent + 1
            self._heard = False
            if silent >= SILENT_BEATS:
                self._drop(CloseCode.NO_PONG, "the node is silent")
                return
            rtt = None if self.rtt_seconds is None else round(self.rtt_seconds * 1000, 3)
            sent = time.monotonic()
            try:
                params = {"t": time.time() * 1000, "rttMs": rtt, "seqSeen": self._seq}
                await self.call_now("heartbeat", params, seconds=interval)
                self.rtt_seconds = time.monotonic() - sent
            except ClientError as error:
                _log.debug("a heartbeat failed: %s", error)
            await asyncio.sleep(sent + interval - time.monotonic())

    # details: messages

    def _send(self, call: Call) -> None:
        if self._line is not None:
            self._line.socket.send(self._codec.request(call.id, call.method, call.params), self._codec.binary)

    def _message(self, line: _Line, data: bytes) -> None:
        self._heard = True
        try:
            for message in self._codec.decode(data):
                if line is not self._line:
                    return
                self._take(message)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            _log.warning("%s sent a message that breaks the protocol: %r", self.url, error)
            line.socket.close(CloseCode.PROTOCOL_ERROR, "not a message of this protocol")

    def _take(self, message: Message) -> None:
        if message.method is None:
            self._calls.settle(message)
            return
        params = message.params or {}
        event = _event(message.method, params)
        if event.seq is not None:
            if params.get("prev") != self._seq or self.room is None or event.epoch != self.room.epoch:
                self._drop(CloseCode.STATE_GAP, "an event is missing")
                return
            self._seq = event.seq
        self._emit(event)

    def _emit(self, event: Event, *, applied: bool = False) -> None:
        if self.room is not None and not applied:
            self.room.apply(event)
        for listener in list(self.listeners.get(event.name, {}).values()):
            try:
                listener(event)
            except Exception:
                _log.exception("a listener of %s failed", event.name)
        self.events.put(event)

    # details: losing and coming back

    def _drop(self, code: int, reason: str) -> None:
        """Gives up the socket, whether or not the other side knows."""
        line, self._line = self._line, None
        if line is not None:
            line.socket.close(code, reason)
            self._lost(ConnectionLost(code, reason))

    def _closed(self, line: _Line, error: ConnectionLost) -> None:
        if line is self._line:
            self._line = None
            self._lost(error)

    def _lost(self, error: ConnectionLost) -> None:
        self._stop_beating()
        if self.state == "open":
            self.state = "new"
            self._calls.fail(error)
        elif self.state == "joined" and error.reconnect and self._may_reconnect:
            self.state = "reconnecting"
            self._calls.fail(error, only=OF_ONE_SOCKET)
            self._start("reconnecting", self._return(error))
        elif self.state == "joined":
            self.end(error)
        else:  # an attempt is under way, and has the error
            self._calls.fail(error, only=OF_ONE_SOCKET)

    async def _return(self, loss: ConnectionLost) -> None:
        cause: ClientError = loss
        self._route.lost(loss)
        attempt = 0
        while True:
            wait = self._chance.uniform(0, min(BACKOFF_LIMIT_SECONDS, BACKOFF_SECONDS * 2**attempt))
            if isinstance(cause, RequestRefused):
                wait += float(cause.data.get("afterMs") or 0) / 1000
            url = self._route.next()
            params = {"attempt": attempt + 1, "waitSeconds": round(wait, 3), "reason": str(cause), "url": url}
            self._emit(Event("reconnecting", params))
            await asyncio.sleep(wait)
            try:
                await self.attempt()
                return
            except ConnectionLost as error:
                cause, final = error, not error.reconnect
                self._route.sent(error)
            except RequestRefused as error:
                cause, final = error, error.retry == "never" and not self._route.refused()
            except RequestTimeout as error:
                cause, final = error, False
            except Exception as error:  # what the caller's token function raises is not ours to know
                cause, final = ClientError(f"no attempt to reconnect: {error!r}"), False
            if self._ended:
                return
            if final:
                self.end(cause)
                return
            line, self._line = self._line, None
            if line is not None:
                line.socket.close()
            attempt += 1


class _Line:
    """One socket of the session; what comes over an old one is ignored."""

    socket: WebSocket

    def __init__(self, session: Session) -> None:
        self._session = session
        self.closed = asyncio.Event()
        self.lost: ConnectionLost | None = None

    def on_message(self, message: bytes, binary: bool) -> None:
        self._session._message(self, message)

    def on_close(self, error: ConnectionLost) -> None:
        self.lost = error
        self.closed.set()
        self._session._lines.discard(self)
        self._session._closed(self, error)


def _event(name: str, params: dict[str, Any]) -> Event:
    rest = {key: value for key, value in params.items() if key not in ("epoch", "seq", "prev")}
    return Event(name, rest, params.get("epoch"), params.get("seq"))
