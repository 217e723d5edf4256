"""The other frames that a server sends (RFC 6455 § 5.5); those with data are in palaver.protocol.frames."""

from __future__ import annotations

from palaver.gateway.close_codes import close_payload

CONTINUATION, CLOSE, PING, PONG = 0x0, 0x8, 0x9, 0xA

MAX_CONTROL_BYTES = 125
"""RFC 6455 § 5.5."""

_FIN = 0x80


def control_frame(opcode: int, payload: bytes = b"") -> bytes:
    """Returns a whole control frame."""
    if len(payload) > MAX_CONTROL_BYTES:
        raise ValueError(f"a control frame holds {MAX_CONTROL_BYTES} bytes, not {len(payload)}")
    return bytes((_FIN | opcode, len(payload))) + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """Returns a CLOSE frame; `code` 1005 stands for a CLOSE without a code."""
    return control_frame(CLOSE, b"" if code == 1005 else close_payload(code, reason))
