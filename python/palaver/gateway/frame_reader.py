"""What may come in from one client: the receiving half of RFC 6455 § 5, § 7.4 and § 8.1."""

from __future__ import annotations

from typing import Any, Protocol

from picows import WSFrame, WSListener, WSMsgType, WSTransport

from palaver.gateway.assembly import Assembly, Failure
from palaver.gateway.close_codes import BadClose, Close, parse_close
from palaver.gateway.frames import CONTINUATION
from palaver.gateway.parser import begin_again, feed, is_as_new, new_parser
from palaver.gateway.table import ConnectionTable
from palaver.protocol.close_codes import CloseCode
from palaver.protocol.frames import BINARY, TEXT
from palaver.signaling.ports import Connection
from palaver.signaling.rate_limit import Bucket

_TEXT, _BINARY, _CONTINUATION = WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION
_PING, _PONG, _CLOSE = WSMsgType.PING, WSMsgType.PONG, WSMsgType.CLOSE
_OPCODES = {_TEXT: TEXT, _BINARY: BINARY, _CONTINUATION: CONTINUATION}

_LARGE_PAYLOAD = 16 * 1024
"""After a frame of this size the parser is renewed, which gives its grown buffer back and costs some 20 µs."""


_SPARE_READERS = 64
"""Readers kept for connections to come, with 4 KiB of buffer each."""


class Receiver(Connection, Protocol):
    """The connection that the reader reads for."""

    is_open: bool

    def pong(self, payload: bytes) -> None:
        """A ping came."""

    def peer_closed(self, close: Close) -> None:
        """A good CLOSE came while the connection was open."""

    def peer_answered(self) -> None:
        """A CLOSE came after ours."""

    def fail(self, code: CloseCode, why: str) -> None:
        """The peer broke a rule (§ 7.1.7)."""

    def refused(self, code: CloseCode, why: str) -> None:
        """The parser can read no further; a last good frame may still follow within this loop turn."""

    def renewed(self, old: Any, new: Any) -> None:
        """The parser was exchanged; the old one must live until the loop turn ends."""

    def lost(self) -> None: ...

    def pause_writing(self) -> None: ...

    def resume_writing(self) -> None: ...


class FrameReader(WSListener):
    """Takes the frames that picows parses, one call each, and hands whole messages to the table's `deliver`."""

    __slots__ = (
        "_assembly",
        "_control_frames",
        "_data_type",
        "_heard",
        "_max_frame_bytes",
        "_receiver",
        "_room",
        "_table",
        "awaits_pong",
        "broken",
        "parser",
    )

    def __init__(self, receiver: Receiver, table: ConnectionTable) -> None:
        self._table = table
        self._max_frame_bytes = 0
        self.parser: Any = self._new_parser()
        """The protocol for the socket."""
        self.begin(receiver)

    @classmethod
    def of(cls, receiver: Receiver, table: ConnectionTable) -> FrameReader:
        """A reader, if need be a new one. One that an earlier connection has left spares the 20 µs that a parser costs."""
        spare = table.spare_readers
        while spare:
            reader = spare.pop()
            if reader._max_frame_bytes == table.settings.max_message_bytes:
                begin_again(reader.parser, reader._refused)
                reader.begin(receiver)
                return reader
        return cls(receiver, table)

    def begin(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._data_type: WSMsgType | None = None  # fixed by the first data frame
        self._assembly: Assembly | None = None  # of the fragmented message that is under way
        self._control_frames: Bucket | None = None
        self._heard = True
        self._room = 0
        self.awaits_pong = False
        self.broken = False
        """The parser has refused a frame; it must not be given any more."""

    def end(self) -> None:
        """The connection is gone. A parser that it has left between two frames serves another."""
        del self._receiver
        spare = self._table.spare_readers
        if not self.broken and is_as_new(self.parser) and len(spare) < _SPARE_READERS:
            spare.append(self)

    def feed(self, data: bytes | memoryview) -> None:
        """Parses bytes that did not come straight from the socket."""
        rest = memoryview(data)
        while rest and not self.broken:
            rest = rest[feed(self.parser, rest) :]

    def heard(self) -> None:
        """The client shows life in another way."""
        self._heard = True

    def heard_anything(self) -> bool:
        """Whether any byte came since this was last asked: a frame, or part of one, which shows in the parser's room."""
        room = len(self.parser.get_buffer(-1))
        heard = self._heard or room != self._room
        self._heard = False
        self._room = room
        return heard

    def max_message_bytes(self) -> int:
        settings = self._table.settings
        if self._receiver.authenticated:
            return settings.max_message_bytes
        return settings.max_message_bytes_before_auth

    # --- what picows calls ---

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        receiver = self._receiver
        self._heard = True
        kind = frame.msg_type
        size = frame.payload_size
        if not receiver.is_open:  # only CLOSE is of interest now (§ 5.5.1)
            if kind is _CLOSE:
                receiver.peer_answered()
        elif (
            kind is self._data_type
            and frame.fin
            and self._assembly is None
            and not (frame.rsv1 or frame.rsv2 or frame.rsv3)
        ):
            self._whole_message(frame, size)
        else:
            self._other_frame(frame, kind)
        if size > _LARGE_PAYLOAD and frame.last_in_buffer and not frame.tail_size:
            # The parser holds no byte of a next frame.
            old, self.parser = self.parser, self._new_parser()
            receiver.renewed(old, self.parser)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.broken = True  # picows has done with this connection
        self._receiver.lost()

    def pause_writing(self) -> None:
        self._receiver.pause_writing()

    def resume_writing(self) -> None:
        self._receiver.resume_writing()

    # --- frames ---

    def _whole_message(self, frame: WSFrame, size: int) -> None:
        table, receiver = self._table, self._receiver
        if size > table.settings.max_message_bytes_before_auth and size > self.max_message_bytes():
            receiver.fail(CloseCode.TOO_BIG, f"message of more than {self.max_message_bytes()} bytes")
            return
        message = frame.get_payload_as_bytes()
        if not (receiver.binary or message.isascii()):
            try:
                frame.get_payload_as_utf8_text()
            except UnicodeDecodeError:
                receiver.fail(CloseCode.INVALID_TEXT, "text is not UTF-8")
                return
        counters = table.counters
        counters.messages_in += 1
        counters.bytes_in += size
        table.deliver(receiver, message)

    def _other_frame(self, frame: WSFrame, kind: WSMsgType) -> None:
        receiver = self._receiver
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            receiver.fail(CloseCode.PROTOCOL_ERROR, "a reserved bit is set, and no extension was agreed on")
        elif kind is _PING or kind is _PONG:
            self._ping_or_pong(kind, frame.get_payload_as_bytes())
        elif kind is _CLOSE:
            close = parse_close(frame.get_payload_as_bytes())
            if isinstance(close, BadClose):
                receiver.fail(close.code, close.why)
            else:
                receiver.peer_closed(close)
        elif self._data_type is None and kind is not _CONTINUATION:
            self._data_type = kind
            receiver.binary = kind is _BINARY
            if frame.fin:
                self._whole_message(frame, frame.payload_size)
            else:
                self._fragment(frame)
        elif kind is not _CONTINUATION and kind is not self._data_type:
            receiver.fail(CloseCode.UNSUPPORTED_DATA, "the first message decides between text and binary")
        else:
            self._fragment(frame)

    def _fragment(self, frame: WSFrame) -> None:
        table = self._table
        if self._assembly is None:
            self._assembly = Assembly()
        payload = frame.get_payload_as_bytes()
        table.counters.bytes_in += len(payload)
        outcome = self._assembly.add(
            _OPCODES[frame.msg_type],
            bool(frame.fin),
            payload,
            self.max_message_bytes(),
            table.settings.max_fragments,
        )
        if isinstance(outcome, Failure):
            self._receiver.fail(outcome.code, outcome.why)
        elif outcome is not None:
            self._assembly = None
            table.counters.messages_in += 1
            table.deliver(self._receiver, outcome)

    def _ping_or_pong(self, kind: WSMsgType, payload: bytes) -> None:
        table = self._table
        if self._control_frames is None:
            rate = table.settings.control_frames_per_second
            self._control_frames = Bucket(rate, rate)
        if self._control_frames.admit(table.clock()) > 0:
            self._receiver.fail(CloseCode.RATE_LIMITED, "too many pings or pongs")
        elif kind is _PING:
            table.counters.pings_in += 1
            self._receiver.pong(payload)
        else:
            table.counters.pongs_in += 1
            table.counters.pongs_unsolicited += not self.awaits_pong
            self.awaits_pong = False

    def _new_parser(self) -> Any:
        self._max_frame_bytes = self._table.settings.max_message_bytes
        return new_parser(self, self._max_frame_bytes, self._refused)

    def _refused(self, code: int, why: str) -> None:
        self.broken = True
        self._receiver.refused(CloseCode(code), why)
