"""Close codes of the WebSocket (RFC 6455 § 7.4 and ours). 4000–4499: reconnect. 4500–4999: do not."""

from __future__ import annotations

from enum import IntEnum


class CloseCode(IntEnum):
    NORMAL = 1000
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    INVALID_TEXT = 1007
    TOO_BIG = 1009
    INTERNAL_ERROR = 1011

    SHUTDOWN = 4001
    SLOW_CONSUMER = 4002
    NO_PONG = 4003
    TOKEN_EXPIRED = 4005
    STATE_GAP = 4010
    RATE_LIMITED = 4013

    BAD_TOKEN = 4501
    KICKED = 4502
    BANNED = 4503
    REPLACED = 4504
    TOO_MANY_ERRORS = 4505
    ROOM_CLOSED = 4506
