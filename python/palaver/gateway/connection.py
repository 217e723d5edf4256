"""One client's WebSocket: what waits to go out, how it ends, when it is given up (RFC 6455 § 5–7)."""

from __future__ import annotations

import asyncio
from typing import Self

from palaver.core import Outbox
from palaver.gateway.antechamber import Antechamber
from palaver.gateway.close_codes import ABNORMAL, Close, may_be_sent
from palaver.gateway.drain import Drain
from palaver.gateway.frame_reader import FrameReader
from palaver.gateway.frames import PING, PONG, close_frame, control_frame
from palaver.gateway.pull import Inbox
from palaver.gateway.pulse import Pulse, pulse
from palaver.gateway.table import ConnectionTable
from palaver.protocol.close_codes import CloseCode
from palaver.protocol.frames import BINARY, TEXT, data_frame


class WebSocketConnection(Outbox):
    """An upgraded socket. `send` and `close` only queue; they never block and never raise.

    Its life: open until a CLOSE frame is queued or comes, or the socket is lost; then it only flushes, and goes
    when the peer has answered, at the latest after `close_seconds`. `disconnected` is reported once, when no
    message can come any more, which is before the socket is gone.

    Until its token is accepted (`authenticated`), it reads through an Antechamber; then its FrameReader reads straight
    from the socket.
    """

    __slots__ = (
        "__weakref__",
        "_auth_deadline",
        "_blocked",
        "_close_code",
        "_ended",
        "_gone",
        "_inbox_full",
        "_next_beat",
        "_paused",
        "_peer_done",
        "_reader",
        "_shutting",
        "_silent_beats",
        "_table",
        "_transport",
        "address",
        "authenticated",
        "bearer",
        "binary",
        "host",
        "id",
        "inbox",
        "is_open",
        "is_slow",
        "wheel_slot",
    )

    def __new__(cls, table: ConnectionTable, *_: object) -> Self:
        return super().__new__(cls, table.outboxes)

    def __init__(
        self,
        table: ConnectionTable,
        transport: asyncio.Transport,
        address: str,
        bearer: str | None,
        host: str,
    ) -> None:
        now = table.clock()
        self.id = table.next_id()
        self.address = address
        self.bearer = bearer
        self.host = host
        self.binary = False
        self.authenticated = False
        self.wheel_slot = -1
        self.inbox: Inbox | None = None
        self._table = table
        self._transport = transport
        self._reader = FrameReader(self, table)
        self._blocked = False  # the transport still holds bytes of the last write
        self._paused = False  # nothing is read from the socket
        self._inbox_full = False
        self.is_slow = False
        """Whether the queue has grown beyond `outbox_shed_bytes`, and has not shrunk to half of that since."""
        self.is_open = True
        """Whether neither side has begun to close."""
        self._close_code = 0  # once it is not open
        self._peer_done = False  # the peer's CLOSE came, or is not waited for
        self._ended = False  # `disconnected` was reported
        self._shutting = False
        self._gone = False
        self._silent_beats = 0
        self._auth_deadline = now + table.settings.handshake_seconds
        # Connections that came together need not beat together: spread by the golden ratio.
        self._next_beat = now + table.beat * (0.5 + (self.id * 0.618034) % 0.5)

    # --- what the message handler calls ---

    def send(self, message: bytes, droppable: bool = False) -> bool:
        """Queues one message; it leaves with all others of this loop turn. Returns whether it was queued.

        A client that does not read: `droppable` messages are shed above `outbox_shed_bytes`, and nothing is read
        from it, so that it cannot ask for more; above `outbox_close_bytes` it is closed with 4002.
        """
        return self.send_frame(data_frame(BINARY if self.binary else TEXT, message), droppable)

    def close(self, code: int, reason: str = "") -> None:
        """Sends what is queued and then CLOSE. A code that may not stand in a frame is sent as 1011."""
        self._begin_close(code if may_be_sent(code) else CloseCode.INTERNAL_ERROR, reason)

    async def receive(self) -> bytes | None:
        """Waits for the next message; None when the connection has ended and all messages are taken.

        Only for a gateway without a handler (see ClientGateway.accept). What is not taken yet is bounded: a full
        inbox stops reading from the socket. One task at a time may wait here.
        """
        if self.inbox is None:
            raise RuntimeError("receive() is for a ClientGateway without a handler")
        return await self.inbox.take()

    # --- what the gateway calls ---

    @property
    def takes_frames(self) -> bool:
        """Whether a frame that comes now may still matter, if only as the answer to our CLOSE."""
        return not (self._peer_done or self._reader.broken)

    @property
    def queued_bytes(self) -> int:
        """What waits for the client here: the outbox, and what the transport could not write yet."""
        return self.waiting_bytes + (self._transport.get_write_buffer_size() if self._blocked else 0)

    def attach(self, descriptor: int) -> Antechamber:
        """Takes the socket over from the handshake; what came with it is to be given to the Antechamber.

        `descriptor` is the socket's, negative where only the transport may write to it (TLS).
        """
        self.descriptor = descriptor
        table = self._table
        # So that `_blocked` says whether anything is left. A TLS transport pauses *at* its limit: at 0, with nothing left.
        self._transport.set_write_buffer_limits(high=0 if descriptor >= 0 else 1, low=0)
        antechamber = Antechamber(self, table.scratch, table.settings.max_message_bytes_before_auth)
        self._transport.set_protocol(antechamber)
        table.add(self, min(self._next_beat, self._auth_deadline))
        return antechamber

    def admit_frame(self, size: int, droppable: bool) -> bool:
        """Whether a message may join a long queue, or a transport that holds bytes; a slow reader is dealt with here."""
        if not self.is_open:
            return False
        table = self._table
        settings = table.settings
        if not self._blocked:
            self.flush()  # much at once is not slow
        queued = self.queued_bytes
        if queued <= settings.outbox_shed_bytes:
            return True
        if not self.is_slow:
            self.is_slow = True
            table.counters.slow_readers += 1
            self._stop_reading()
        if droppable:
            table.counters.shed += 1
            return False
        if queued + size <= settings.outbox_close_bytes:
            return True
        self.drop_frames()
        self.close(CloseCode.SLOW_CONSUMER, "the client does not read what it is sent")
        return False

    def take_plain(self, data: memoryview) -> int:
        return self._reader.take_plain(data)

    def feed(self, data: bytes | memoryview) -> None:
        self._reader.feed(data)

    def admitted(self) -> None:
        """The client is authenticated: the Antechamber gets out of the way."""
        self._transport.set_protocol(self._reader)

    def too_big(self) -> None:
        self.fail(CloseCode.TOO_BIG, f"message of more than {self._reader.max_message_bytes()} bytes")

    def flush(self) -> None:
        while self.waiting_bytes and not self._blocked:
            self.write(self.take_frames())
        if self._peer_done and not (self.waiting_bytes or self._blocked):
            self._shut_down()

    def write(self, piece: bytes) -> None:
        """Gives the transport what the descriptor did not take."""
        try:
            self._transport.write(piece)
        except RuntimeError:  # closed underneath us: `lost` is on its way
            self.drop_frames()

    def abort(self) -> None:
        """Tears the socket down without another word."""
        self.is_clear = False
        self._transport.abort()

    def due(self, now: float) -> float | None:
        """Looks after time (see TimerWheel): the end of a close, the missing token, silence."""
        if not self.is_open:
            self.abort()
            return None
        if not self.authenticated and now >= self._auth_deadline:
            seconds = self._table.settings.handshake_seconds
            self.close(CloseCode.BAD_TOKEN, f"no token within {seconds:g} s")
            return None
        if now >= self._next_beat:
            self._next_beat = now + self._table.beat
            heard = self._reader.heard_anything() or self._inbox_full
            self._silent_beats = 0 if heard else self._silent_beats + 1
            match pulse(self._silent_beats):
                case Pulse.PING:
                    self._ping()
                case Pulse.GONE:
                    self.close(CloseCode.NO_PONG, "nothing heard for 2.5 ping intervals")
                    return None
        return self._next_beat if self.authenticated else min(self._next_beat, self._auth_deadline)

    def pause_for_inbox(self) -> None:
        self._inbox_full = True
        self._stop_reading()

    def resume_after_inbox(self) -> None:
        self._inbox_full = False
        self._read_again()

    # --- what the transport calls ---

    def pause_writing(self) -> None:
        self._blocked = True
        self.is_clear = False

    def resume_writing(self) -> None:
        self._blocked = False
        self.is_clear = self.is_open and not self._transport.is_closing()
        if not self._gone:
            self._reader.heard()  # the peer has taken bytes
            self.flush()
            if self.queued_bytes <= self._table.settings.outbox_shed_bytes // 2:
                self.is_slow = False
                self._read_again()

    def lost(self) -> None:
        """The socket is gone, for whatever reason."""
        self._gone = self._peer_done = True
        self.drop_frames()
        if self.is_open:
            self._not_open(ABNORMAL)
        self._table.remove(self)
        self._report_end()
        self._reader.end()
        del self._reader

    # --- what the frame reader calls ---

    def pong(self, payload: bytes) -> None:
        self.push_frame(control_frame(PONG, payload))

    def peer_closed(self, close: Close) -> None:
        self._not_open(close.code)
        self.push_frame(close_frame(close.code))  # echoed (§ 5.5.1)
        self._await_end(peer_done=True)
        self._report_end()

    def peer_answered(self) -> None:
        """It has our CLOSE and sends nothing more (§ 5.5.1): nothing is to be read into the void."""
        self._peer_done = True
        if self.waiting_bytes or self._blocked:
            self.flush_soon()  # they said CLOSE at the same time
        else:
            self._shutting = True
            self._transport.close()

    def fail(self, code: CloseCode, why: str) -> None:
        """The peer broke a rule: CLOSE, and not another look at what it sends (§ 7.1.7)."""
        if not self.is_open:
            self._await_end(peer_done=True)  # its CLOSE will not be seen any more
        else:
            self._begin_close(code, why, peer_done=True)

    def refused(self, code: CloseCode, why: str) -> None:
        self._drain()
        self._table.loop.call_soon(self.fail, code, why)

    # --- endings ---

    def _begin_close(self, code: int, reason: str, peer_done: bool = False) -> None:
        if not self.is_open:
            return
        self._not_open(code)
        self.push_frame(close_frame(code, reason))
        self._await_end(peer_done)
        self._table.loop.call_soon(self._report_end)  # we may be inside the handler

    def _not_open(self, code: int) -> None:
        self.is_open = self.is_clear = False
        self._close_code = code
        self._table.counters.count_close(code)

    def _await_end(self, peer_done: bool) -> None:
        if self._gone:
            return
        table = self._table
        table.wheel.set(self, table.clock() + table.close_seconds)
        self._peer_done = peer_done
        if peer_done:
            self._drain()
        self.is_slow = self._inbox_full = False
        self._read_again()
        self.flush_soon()

    def _shut_down(self) -> None:
        """All is written and nothing more is expected.

        If the peer still sends, a plain close makes the kernel send a reset, which can overtake our CLOSE frame.
        So we half-close, and read into the void for a while.
        """
        if self._shutting or self._gone:
            return
        self._shutting = True
        self._drain()
        self._table.wheel.set(self, self._table.clock() + self._table.linger_seconds)
        if not self._transport.can_write_eof():
            self._transport.close()
            return
        try:
            self._transport.write_eof()
        except OSError:  # asyncio's own loop says here that the peer has gone; nobody else may suffer for it
            self.abort()

    def _drain(self) -> None:
        if not self._gone and not isinstance(self._transport.get_protocol(), Drain):
            self._transport.set_protocol(Drain(self, self._table.scratch))

    def _report_end(self) -> None:
        if not self._ended:
            self._ended = True
            self._table.report_end(self, self._close_code)

    # --- reading, writing and silence ---

    def _stop_reading(self) -> None:
        if self.is_open:
            self._paused = True
            self._transport.pause_reading()

    def _read_again(self) -> None:
        if self._paused and not (self.is_slow or self._inbox_full or self._gone):
            self._paused = False
            self._transport.resume_reading()

    def _ping(self) -> None:
        self._reader.awaits_pong = True
        self._table.counters.pings_out += 1
        self.push_frame(control_frame(PING))
