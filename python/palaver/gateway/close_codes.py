"""Which close codes and reasons may stand in a CLOSE frame (RFC 6455 § 5.5.1, § 7.4)."""

from __future__ import annotations

from typing import NamedTuple

from palaver.protocol.close_codes import CloseCode

NO_STATUS = 1005
"""Reported, never sent: the CLOSE frame carried no code (RFC 6455 § 7.1.5)."""
ABNORMAL = 1006
"""Reported, never sent: the socket went away without a CLOSE frame (RFC 6455 § 7.1.5)."""

MAX_REASON_BYTES = 123
"""A control frame holds 125 bytes (RFC 6455 § 5.5); two of them are the code."""

_REGISTERED = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014})
"""Registered codes that may be sent. 1004 is undefined; 1005, 1006 and 1015 are only ever reported."""


class Close(NamedTuple):
    """What a peer said in its CLOSE frame."""

    code: int
    reason: str


class BadClose(NamedTuple):
    """The CLOSE frame broke a rule: the connection fails with this code."""

    code: CloseCode
    why: str


def may_be_sent(code: int) -> bool:
    """Tells whether an endpoint may put this code into a CLOSE frame (RFC 6455 § 7.4.1, § 7.4.2)."""
    return code in _REGISTERED or 3000 <= code <= 4999


def parse_close(payload: bytes) -> Close | BadClose:
    """Reads the body of a CLOSE frame: nothing, or a code and a UTF-8 reason."""
    if not payload:
        return Close(NO_STATUS, "")
    if len(payload) == 1:
        return BadClose(CloseCode.PROTOCOL_ERROR, "half a close code")
    code = int.from_bytes(payload[:2], "big")
    if not may_be_sent(code):
        return BadClose(CloseCode.PROTOCOL_ERROR, f"close code {code} may not be sent")
    try:
        return Close(code, payload[2:].decode())
    except UnicodeDecodeError:
        return BadClose(CloseCode.INVALID_TEXT, "close reason is not UTF-8")


def close_payload(code: int, reason: str) -> bytes:
    """Writes the body of a CLOSE frame; a reason that is too long is cut at a character."""
    if not may_be_sent(code):
        raise ValueError(f"close code {code} may not be sent (RFC 6455 § 7.4)")
    text = reason.encode("utf-8", "replace")[:MAX_REASON_BYTES].decode("utf-8", "ignore")
    return code.to_bytes(2, "big") + text.encode()
