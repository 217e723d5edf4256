"""The frames a server sends: final, unmasked, without extensions (RFC 6455 § 5.2)."""

from __future__ import annotations

from struct import Struct

from palaver.gateway.close_codes import close_payload

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA

MAX_CONTROL_BYTES = 125
"""RFC 6455 § 5.5."""

_FIN = 0x80
_SHORT = {opcode: tuple(bytes((_FIN | opcode, size)) for size in range(126)) for opcode in (TEXT, BINARY)}
_pack_16 = Struct("!BBH").pack
_pack_64 = Struct("!BBQ").pack


def frame_header(opcode: int, size: int) -> bytes:
    """Returns the header of a final text or binary frame whose payload has `size` bytes."""
    if size < 126:
        return _SHORT[opcode][size]
    if size < 65536:
        return _pack_16(_FIN | opcode, 126, size)
    return _pack_64(_FIN | opcode, 127, size)


def data_frame(opcode: int, message: bytes) -> bytes:
    """Returns a whole final text or binary frame; asked again for the same message, the same frame.

    One copy here makes a lone frame free to send: 0.5 µs for 2 KB, against 1.1 µs with header and message apart. And
    all receivers of an event share it, as it is one message object that they are sent by turns.
    """
    global _last
    last_opcode, last_message, frame = _last
    if message is not last_message or opcode != last_opcode:
        size = len(message)
        head = _pack_16(_FIN | opcode, 126, size) if 126 <= size < 65536 else frame_header(opcode, size)
        frame = head + message
        _last = opcode, message, frame
    return frame


_last = (TEXT, b"", frame_header(TEXT, 0))


def control_frame(opcode: int, payload: bytes = b"") -> bytes:
    """Returns a whole control frame."""
    if len(payload) > MAX_CONTROL_BYTES:
        raise ValueError(f"a control frame holds {MAX_CONTROL_BYTES} bytes, not {len(payload)}")
    return bytes((_FIN | opcode, len(payload))) + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """Returns a CLOSE frame; `code` 1005 stands for a CLOSE without a code."""
    return control_frame(CLOSE, b"" if code == 1005 else close_payload(code, reason))
