"""One client's WebSocket: what may come in, what waits to go out, how it ends (RFC 6455 § 5–7)."""

from __future__ import annotations

import asyncio
from typing import Any

from picows import WSFrame, WSListener, WSMsgType, WSTransport

from palaver.gateway.assembly import Assembly, Failure
from palaver.gateway.close_codes import ABNORMAL, BadClose, may_be_sent, parse_close
from palaver.gateway.drain import Drain
from palaver.gateway.frames import BINARY, PING, PONG, TEXT, close_frame, control_frame
from palaver.gateway.outbox import Outbox
from palaver.gateway.parser import feed, new_parser
from palaver.gateway.pull import Inbox
from palaver.gateway.table import ConnectionTable
from palaver.protocol.close_codes import CloseCode
from palaver.signaling.rate_limit import Bucket

_TEXT, _BINARY, _CONTINUATION = WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION
_PING, _PONG, _CLOSE = WSMsgType.PING, WSMsgType.PONG, WSMsgType.CLOSE
_OPCODES = {_TEXT: TEXT, _BINARY: BINARY, _CONTINUATION: 0}

_BEATS_TO_PING = (2, 4)
"""A connection that was silent for so many beats is pinged: two beats are one ping interval."""
_BEATS_TO_CLOSE = 5
"""Silent for 2.5 ping intervals: the client is gone (4003)."""

_SLOW_READER, _FULL_INBOX = 1, 2
"""Reasons not to read from the socket."""


class WebSocketConnection(WSListener):
    """An upgraded socket. `send` and `close` only queue; they never block and never raise.

    Its life: OPEN until a CLOSE frame is queued or comes, or the socket is lost; then it only flushes, and goes
    when the peer has answered, at the latest after `close_seconds`. `disconnected` is reported once, when no
    message can come any more, which is before the socket is gone.
    """

    __slots__ = (
        "_assembly", "_auth_deadline", "_blocked", "_close_code", "_control", "_corked", "_data_type", "_ended",
        "_gone", "_heard", "_next_beat", "_not_reading", "_outbox", "_parser", "_peer_done", "_pinged", "_room",
        "_shutting", "_silent_beats", "_table", "_transport",
        "address", "authenticated", "bearer", "binary", "id", "inbox", "wheel_slot",
    )  # fmt: skip

    def __init__(
        self, table: ConnectionTable, transport: asyncio.Transport, address: str, bearer: str | None
    ) -> None:
        now = table.clock()
        self.id = table.next_id()
        self.address = address
        self.bearer = bearer
        self.binary = False
        self.authenticated = False
        self.wheel_slot = -1
        self.inbox: Inbox | None = None
        self._table = table
        self._transport = transport
        self._parser: Any = None
        self._data_type: WSMsgType | None = None
        self._assembly: Assembly | None = None
        self._outbox = Outbox()
        self._control: Bucket | None = None
        self._blocked = False  # the transport still holds bytes of the last write
        self._not_reading = 0
        self._corked = False  # inside a read: its last frame flushes
        self._close_code = 0  # not 0: no longer OPEN
        self._peer_done = False  # the peer's CLOSE came, or we do not wait for it
        self._ended = False  # `disconnected` was reported
        self._shutting = False
        self._gone = False
        self._heard = True
        self._pinged = False
        self._silent_beats = 0
        self._room = 0
        self._auth_deadline = now + table.settings.handshake_seconds
        # Connections that came together do not all beat together.
        self._next_beat = now + table.beat * (0.5 + (self.id * 0.618034) % 0.5)

    # ---- for the message handler

    def send(self, message: bytes, droppable: bool = False) -> None:
        """Queues one message; it leaves with all others of this loop turn. `droppable` ones are shed for a slow reader."""
        if self._close_code:
            return
        table = self._table
        settings = table.settings
        outbox = self._outbox
        if outbox.size + len(message) > settings.outbox_shed_bytes or self._blocked:
            if not self._blocked:
                self.flush()  # it may be only much at once
            queued = self.queued_bytes
            if queued > settings.outbox_shed_bytes:
                self._stop_reading(_SLOW_READER)
                if droppable:
                    table.counters.shed += 1
                    return
                if queued + len(message) > settings.outbox_close_bytes:
                    outbox.clear()
                    self.close(CloseCode.SLOW_CONSUMER, "the client does not read what it is sent")
                    return
        if not outbox.size and not self._corked:
            table.flush_soon(self)
        outbox.push_message(BINARY if self.binary else TEXT, message)
        table.counters.messages_out += 1

    def close(self, code: int, reason: str = "") -> None:
        """Sends what is queued and then CLOSE. A code that may not stand in a frame (such as 1006) is sent as 1011."""
        self._begin_close(code if may_be_sent(code) else CloseCode.INTERNAL_ERROR, reason)

    async def receive(self) -> bytes | None:
        """Waits for the next message; None when the connection has ended and all messages are taken.

        Only for a gateway without a handler (see ClientGateway.accept). What is not yet taken is bounded: a full
        inbox stops reading from the socket. One task at a time may wait here.
        """
        if self.inbox is None:
            raise RuntimeError(
                "receive() needs a ClientGateway without a handler: with one, messages go to the handler"
            )
        return await self.inbox.take()

    # ---- for the gateway

    @property
    def queued_bytes(self) -> int:
        """What waits for the client in this process: the outbox, and what the transport could not write yet."""
        return self._outbox.size + (self._transport.get_write_buffer_size() if self._blocked else 0)

    @property
    def is_open(self) -> bool:
        """Whether neither side has begun to close."""
        return not self._close_code

    def attach(self) -> None:
        """Takes the socket over from the handshake; frames may come from now on."""
        settings = self._table.settings
        self._parser = new_parser(self, settings.max_message_bytes, self._frame_refused)
        self._transport.set_write_buffer_limits(high=0)  # so that `_blocked` says whether anything is left
        self._transport.set_protocol(self._parser)
        self._table.add(self, min(self._next_beat, self._auth_deadline))

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Takes bytes that came in one segment with the handshake."""
        feed(self._parser, data)

    def flush(self) -> None:
        outbox = self._outbox
        while outbox.size and not self._blocked:
            piece = outbox.take()
            self._table.counters.bytes_out += len(piece)
            try:
                self._transport.write(piece)
            except RuntimeError:  # closed underneath us: on_ws_disconnected is on its way
                outbox.clear()
                return
        if self._peer_done and not outbox.size and not self._blocked:
            self._shut_down()

    def abort(self) -> None:
        """Tears the socket down without another word."""
        self._transport.abort()

    def due(self, now: float) -> float | None:
        """Looks after time (see TimerWheel): the end of a close, the missing token, silence."""
        if self._close_code:
            self.abort()
            return None
        if not self.authenticated and now >= self._auth_deadline:
            seconds = self._table.settings.handshake_seconds
            self.close(CloseCode.BAD_TOKEN, f"no token within {seconds:g} s")
            return None
        if now >= self._next_beat:
            self._next_beat = now + self._table.beat
            if self._heard_anything():
                self._silent_beats = 0
            else:
                self._silent_beats += 1
                if self._silent_beats >= _BEATS_TO_CLOSE:
                    self.close(CloseCode.NO_PONG, "nothing heard for 2.5 ping intervals")
                    return None
                if self._silent_beats in _BEATS_TO_PING:
                    self._ping()
        return self._next_beat if self.authenticated else min(self._next_beat, self._auth_deadline)

    def resume_after_inbox(self) -> None:
        self._read_again(_FULL_INBOX)

    def pause_for_inbox(self) -> None:
        self._stop_reading(_FULL_INBOX)

    # ---- for picows and the transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        self._heard = True
        self._corked = True
        if (
            frame.msg_type is self._data_type
            and frame.fin
            and self._assembly is None
            and not self._close_code
            and not (frame.rsv1 or frame.rsv2 or frame.rsv3)
        ):
            self._whole_message(frame)
        elif self._close_code:
            self._frame_while_closing(frame)
        else:
            self._other_frame(frame)
        if frame.last_in_buffer:
            self._corked = False
            if self._outbox.size or self._peer_done:
                self.flush()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.lost()

    def pause_writing(self) -> None:
        self._blocked = True

    def resume_writing(self) -> None:
        self._blocked = False
        self._heard = True  # the peer has taken bytes
        if not self._gone:
            self.flush()
            if self.queued_bytes <= self._table.settings.outbox_shed_bytes // 2:
                self._read_again(_SLOW_READER)

    def lost(self) -> None:
        """The socket is gone, for whatever reason."""
        self._gone = True
        self._outbox.clear()
        if not self._close_code:
            self._close_code = ABNORMAL
            self._table.counters.count_close(ABNORMAL)
        self._table.remove(self)
        self._report_end()
        self._parser = None  # it refers to us

    # ---- frames

    def _whole_message(self, frame: WSFrame) -> None:
        table = self._table
        settings = table.settings
        size = frame.payload_size
        limit = settings.max_message_bytes if self.authenticated else settings.max_message_bytes_before_auth
        if size > limit:
            self._fail(CloseCode.TOO_BIG, f"message of more than {limit} bytes")
            return
        if not self.binary:
            try:
                frame.get_payload_as_utf8_text()
            except UnicodeDecodeError:
                self._fail(CloseCode.INVALID_TEXT, "text is not UTF-8")
                return
        counters = table.counters
        counters.messages_in += 1
        counters.bytes_in += size
        message = frame.get_payload_as_memoryview()
        table.deliver(self, message)
        message.release()  # a use after this call raises instead of reading freed memory

    def _other_frame(self, frame: WSFrame) -> None:
        kind = frame.msg_type
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            self._fail(CloseCode.PROTOCOL_ERROR, "a reserved bit is set, and no extension was agreed on")
        elif kind is _PING or kind is _PONG:
            self._ping_or_pong(kind, frame.get_payload_as_bytes())
        elif kind is _CLOSE:
            self._close_came(frame.get_payload_as_bytes())
        elif self._data_type is None and kind is not _CONTINUATION:
            self._data_type = kind
            self.binary = kind is _BINARY
            if frame.fin:
                self._whole_message(frame)
            else:
                self._fragment(frame)
        elif kind is not self._data_type and kind is not _CONTINUATION:
            self._fail(
                CloseCode.UNSUPPORTED_DATA, "the first frame has fixed text or binary for this connection"
            )
        else:
            self._fragment(frame)

    def _fragment(self, frame: WSFrame) -> None:
        table = self._table
        settings = table.settings
        limit = settings.max_message_bytes if self.authenticated else settings.max_message_bytes_before_auth
        if self._assembly is None:
            self._assembly = Assembly()
        payload = frame.get_payload_as_bytes()
        table.counters.bytes_in += len(payload)
        outcome = self._assembly.add(
            _OPCODES[frame.msg_type], bool(frame.fin), payload, limit, settings.max_fragments
        )
        if isinstance(outcome, Failure):
            self._fail(outcome.code, outcome.why)
        elif outcome is not None:
            self._assembly = None
            table.counters.messages_in += 1
            table.deliver(self, outcome)

    def _ping_or_pong(self, kind: WSMsgType, payload: bytes) -> None:
        table = self._table
        counters = table.counters
        if self._control is None:
            rate = table.settings.control_frames_per_second
            self._control = Bucket(rate, rate)
        if self._control.admit(table.clock()) > 0:
            self._fail(CloseCode.RATE_LIMITED, "too many pings or pongs")
        elif kind is _PING:
            counters.pings_in += 1
            self._outbox.push_frame(control_frame(PONG, payload))
        else:
            counters.pongs_in += 1
            counters.pongs_unsolicited += not self._pinged
            self._pinged = False

    def _close_came(self, payload: bytes) -> None:
        close = parse_close(payload)
        if isinstance(close, BadClose):
            self._fail(close.code, close.why)
            return
        self._close_code = close.code
        self._table.counters.count_close(close.code)
        self._outbox.push_frame(close_frame(close.code))  # echoed (§ 5.5.1)
        self._await_end(peer_done=True)
        self._report_end()

    def _frame_while_closing(self, frame: WSFrame) -> None:
        if frame.msg_type is _CLOSE:
            self._peer_done = True

    def _frame_refused(self, code: int, why: str) -> None:
        """picows refuses a frame. It parses one ahead: the frame before, if there is one, follows within this turn."""
        self._drain()
        self._table.loop.call_soon(self._fail, CloseCode(code), why)

    # ---- endings

    def _fail(self, code: CloseCode, why: str) -> None:
        """The peer broke a rule: CLOSE, and not another look at what it sends (§ 7.1.7)."""
        self._begin_close(code, why, peer_done=True)

    def _begin_close(self, code: int, reason: str, peer_done: bool = False) -> None:
        if self._close_code:
            return
        self._close_code = code
        self._table.counters.count_close(code)
        self._outbox.push_frame(close_frame(code, reason))
        self._await_end(peer_done)
        self._table.loop.call_soon(self._report_end)

    def _await_end(self, peer_done: bool) -> None:
        table = self._table
        table.wheel.set(self, table.clock() + table.close_seconds)
        self._peer_done = peer_done
        if peer_done:
            self._drain()
        self._read_again(_SLOW_READER | _FULL_INBOX)
        if not self._corked:
            table.flush_soon(self)

    def _shut_down(self) -> None:
        """All is written and nothing more is expected. A plain close would make the kernel send a reset, which can
        overtake our CLOSE frame, if the peer still sends: so we half-close, and read into the void for a while."""
        if self._shutting or self._gone:
            return
        self._shutting = True
        self._drain()
        self._table.wheel.set(self, self._table.clock() + self._table.linger_seconds)
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()

    def _drain(self) -> None:
        if not self._gone and not isinstance(self._transport.get_protocol(), Drain):
            self._transport.set_protocol(Drain(self, self._table.scratch))

    def _report_end(self) -> None:
        if not self._ended:
            self._ended = True
            code = self._close_code
            try:
                self._table.handler.disconnected(self, code)
            except Exception:
                self._table.handler_failed(self)

    # ---- reading and silence

    def _stop_reading(self, reason: int) -> None:
        if not self._not_reading & reason:
            if reason == _SLOW_READER:
                self._table.counters.slow_readers += 1
            self._not_reading |= reason
            self._transport.pause_reading()

    def _read_again(self, reason: int) -> None:
        if self._not_reading & reason:
            self._not_reading &= ~reason
            if not self._not_reading and not self._gone:
                self._transport.resume_reading()

    def _heard_anything(self) -> bool:
        """Whether any byte came since the last beat: a frame, or a part of one, which shows in the parser's free room."""
        room = len(self._parser.get_buffer(-1))
        heard = self._heard or room != self._room
        self._heard = False
        self._room = room
        return heard

    def _ping(self) -> None:
        self._pinged = True
        self._table.counters.pings_out += 1
        self._outbox.push_frame(control_frame(PING))
        self._table.flush_soon(self)
