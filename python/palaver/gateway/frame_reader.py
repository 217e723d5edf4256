"""What may come in from one client: the receiving half of RFC 6455 § 5, § 7.4 and § 8.1."""

from __future__ import annotations

import asyncio
from typing import Protocol

from picows import WSFrame, WSMsgType

from palaver.core import take_messages
from palaver.gateway.assembly import Assembly, Failure
from palaver.gateway.close_codes import BadClose, Close, parse_close
from palaver.gateway.frames import CLOSE, CONTINUATION, MAX_CONTROL_BYTES
from palaver.gateway.parser import READ_BUFFER_BYTES, FrameParser
from palaver.gateway.table import ConnectionTable
from palaver.protocol.close_codes import CloseCode
from palaver.protocol.frames import BINARY, TEXT
from palaver.signaling.ports import Connection
from palaver.signaling.rate_limit import Bucket

_TEXT, _BINARY, _CONTINUATION = WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION
_PING, _PONG, _CLOSE = WSMsgType.PING, WSMsgType.PONG, WSMsgType.CLOSE
_OPCODES = {_TEXT: TEXT, _BINARY: BINARY, _CONTINUATION: CONTINUATION}
_FIRST_BYTES = {0x80 | TEXT: _TEXT, 0x80 | BINARY: _BINARY}
"""Of a message in one frame."""

_LARGE_READ = READ_BUFFER_BYTES // 2
"""After a read of more than this the parser is looked at: its buffer may have grown."""


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

    def lost(self) -> None: ...

    def pause_writing(self) -> None: ...

    def resume_writing(self) -> None: ...


class FrameReader(asyncio.BufferedProtocol):
    """The protocol of an upgraded socket: takes its frames one by one, and hands whole messages to the table's `deliver`."""

    __slots__ = (
        "_assembly",
        "_control_frames",
        "_data_type",
        "_heard",
        "_parser",
        "_parsers",
        "_receiver",
        "_table",
        "awaits_pong",
        "broken",
    )

    def __init__(self, receiver: Receiver, table: ConnectionTable) -> None:
        self._table = table
        self._receiver = receiver
        self._parsers = table.parsers
        self._parser: FrameParser | None = None  # its own, while a frame is under way
        self._data_type: WSMsgType | None = None  # fixed by the first data frame
        self._assembly: Assembly | None = None  # of the fragmented message that is under way
        self._control_frames: Bucket | None = None
        self._heard = True
        self.awaits_pong = False
        self.broken = False
        """The parser has refused a frame."""

    # --- what the transport calls ---

    def get_buffer(self, sizehint: int) -> memoryview:
        parser = self._parser
        if parser is None:
            return self._table.read_buffer
        room: memoryview = parser.protocol.get_buffer(sizehint)
        return room

    def buffer_updated(self, nbytes: int) -> None:
        self._heard = True
        parser = self._parser
        if parser is not None:
            self._read(parser, nbytes)
            return
        buffer = self._table.read_buffer
        taken = self._take_plain(buffer, nbytes)
        if taken < nbytes:
            self._parse(buffer[taken:nbytes])

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._receiver.lost()

    def pause_writing(self) -> None:
        self._receiver.pause_writing()

    def resume_writing(self) -> None:
        self._receiver.resume_writing()

    # --- what the connection calls ---

    def end(self) -> None:
        """The connection is gone."""
        del self._receiver
        self._parser = None

    def feed(self, data: bytes | memoryview) -> None:
        """Takes bytes that did not come straight from the socket."""
        rest = memoryview(data)
        self._parse(rest[self.take_plain(rest) :])

    def take_plain(self, data: memoryview) -> int:
        """Takes the plain messages that the data begins with; returns how many bytes they took."""
        self._heard = True
        return 0 if self._parser is not None else self._take_plain(data, len(data))

    def heard(self) -> None:
        """The client shows life in another way."""
        self._heard = True

    def heard_anything(self) -> bool:
        """Whether any byte came since this was last asked."""
        heard, self._heard = self._heard, False
        return heard

    def max_message_bytes(self) -> int:
        settings = self._table.settings
        if self._receiver.authenticated:
            return settings.max_message_bytes
        return settings.max_message_bytes_before_auth

    # --- what the parser calls ---

    def take_frame(self, frame: WSFrame) -> None:
        kind = frame.msg_type
        if (
            kind is self._data_type
            and self._receiver.is_open
            and frame.fin
            and self._assembly is None
            and not (frame.rsv1 or frame.rsv2 or frame.rsv3)
        ):
            self._whole_message(frame)
        elif self._receiver.is_open:
            self._other_frame(frame, kind)
        elif kind is _CLOSE:  # nothing else is of interest now (§ 5.5.1)
            self._saw_close()
            self._closed(frame.get_payload_as_bytes())

    def parser_broke(self, code: int, why: str) -> None:
        self.broken = True
        self._receiver.refused(CloseCode(code), why)

    def _saw_close(self) -> None:
        (self._parser or self._parsers.at_hand).spent = True

    def _parse(self, rest: memoryview) -> None:
        """Gives bytes to the parser, but for a plain CLOSE: a parser that has seen one is spent."""
        if self._parser is None and rest and rest[0] == 0x80 | CLOSE:
            closes, _, taken = take_messages(rest, len(rest), CLOSE, MAX_CONTROL_BYTES)
            if taken == len(rest):
                self._closed(closes[0])
                return
        while rest and not self.broken:
            parser = self._parser or self._parsers.at_hand
            room = parser.protocol.get_buffer(-1)
            size = min(len(room), len(rest))
            room[:size] = rest[:size]
            self._read(parser, size)
            rest = rest[size:]

    def _read(self, parser: FrameParser, size: int) -> None:
        """Has the parser read what has come into its buffer."""
        parser.taker = self
        parser.rest = size
        parser.protocol.buffer_updated(size)
        if parser.rest or parser.spent or self._parser is not None or size > _LARGE_READ:
            self._settle(parser)

    def _settle(self, parser: FrameParser) -> None:
        """Keeps a parser that is in the middle of a frame; one that is not, others may use."""
        if parser is not self._parser:
            self._parsers.replace(parser)
        if parser.rest and not parser.broken:
            self._parser = parser
        else:
            self._parser = None
            self._parsers.give_back(parser)

    # --- frames ---

    def _take_plain(self, buffer: memoryview, size: int) -> int:
        """Takes the messages that are plain off the first `size` bytes, while no frame is under way: nearly all are. Returns how
        many bytes they took."""
        table, receiver = self._table, self._receiver
        kind = self._data_type or _FIRST_BYTES.get(buffer[0])
        if kind is None or self._assembly is not None or not receiver.is_open:
            return 0
        messages, payload, taken = take_messages(buffer, size, _OPCODES[kind], self.max_message_bytes())
        if messages:
            if self._data_type is None:
                self._fix_data_type(kind)
            counters = table.counters
            counters.messages_in += len(messages)
            counters.bytes_in += payload
            table.deliver(receiver, messages)
        return taken

    def _whole_message(self, frame: WSFrame) -> None:
        table, receiver = self._table, self._receiver
        size = frame.payload_size
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
        table.deliver(receiver, [message])

    def _other_frame(self, frame: WSFrame, kind: WSMsgType) -> None:
        receiver = self._receiver
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            receiver.fail(CloseCode.PROTOCOL_ERROR, "a reserved bit is set, and no extension was agreed on")
        elif kind is _PING or kind is _PONG:
            self._ping_or_pong(kind, frame.get_payload_as_bytes())
        elif kind is _CLOSE:
            self._saw_close()
            self._closed(frame.get_payload_as_bytes())
        elif self._data_type is None and kind is not _CONTINUATION:
            self._fix_data_type(kind)
            if frame.fin:
                self._whole_message(frame)
            else:
                self._fragment(frame)
        elif kind is not _CONTINUATION and kind is not self._data_type:
            receiver.fail(CloseCode.UNSUPPORTED_DATA, "the first message decides between text and binary")
        else:
            self._fragment(frame)

    def _fix_data_type(self, kind: WSMsgType) -> None:
        self._data_type = kind
        self._receiver.binary = kind is _BINARY

    def _closed(self, payload: bytes) -> None:
        """The peer's CLOSE came, first or as the answer to ours."""
        receiver = self._receiver
        if not receiver.is_open:
            receiver.peer_answered()
            return
        close = parse_close(payload)
        if isinstance(close, BadClose):
            receiver.fail(close.code, close.why)
        else:
            receiver.peer_closed(close)

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
            table.deliver(self._receiver, [outcome])

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
