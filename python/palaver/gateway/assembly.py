"""Puts a fragmented message together: continuation rules, limits, UTF-8 (RFC 6455 § 5.4, § 8.1)."""

from __future__ import annotations

import codecs
from typing import NamedTuple

from palaver.gateway.frames import CONTINUATION
from palaver.protocol.close_codes import CloseCode
from palaver.protocol.frames import TEXT

_utf8_decoder = codecs.getincrementaldecoder("utf-8")


class Failure(NamedTuple):
    """The peer broke a rule: the connection fails with this close code."""

    code: CloseCode
    why: str


class Assembly:
    """At most one message at a time, as fragments of one message must not interleave with another (§ 5.4).

    `add` takes each data frame that is not a whole message. It returns the finished message, None while more
    is to come, or a Failure, after which the assembly must not be used again. What it holds is bounded by the
    limits of each call.
    """

    __slots__ = ("_decoder", "_fragments", "_payload", "opcode")

    def __init__(self) -> None:
        self.opcode = 0
        """TEXT or BINARY while a message is open, else 0."""
        self._payload = bytearray()
        self._fragments = 0
        self._decoder: codecs.IncrementalDecoder | None = None

    def add(
        self, opcode: int, final: bool, payload: bytes, max_bytes: int, max_fragments: int
    ) -> bytes | Failure | None:
        if opcode == CONTINUATION:
            if not self.opcode:
                return Failure(CloseCode.PROTOCOL_ERROR, "continuation of nothing")
        elif self.opcode:
            return Failure(CloseCode.PROTOCOL_ERROR, "a new message inside a fragmented one")
        else:
            self.opcode = opcode
            self._decoder = _utf8_decoder() if opcode == TEXT else None
        self._fragments += 1
        if self._fragments > max_fragments:
            return Failure(CloseCode.TOO_BIG, f"message of more than {max_fragments} fragments")
        if len(self._payload) + len(payload) > max_bytes:
            return Failure(CloseCode.TOO_BIG, f"message of more than {max_bytes} bytes")
        if self._decoder is not None:
            try:
                self._decoder.decode(payload, final)
            except UnicodeDecodeError:
                return Failure(CloseCode.INVALID_TEXT, "text is not UTF-8")
        self._payload += payload
        if not final:
            return None
        message = bytes(self._payload)
        self.opcode, self._payload, self._fragments, self._decoder = 0, bytearray(), 0, None
        return message
