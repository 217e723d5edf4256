"""What the gateway counts: plain integers on the hot path, read by a metrics collector."""

from __future__ import annotations

from collections import Counter
from typing import Any

from palaver.core import Outboxes
from palaver.gateway.close_codes import ABNORMAL, NO_STATUS
from palaver.protocol.close_codes import CloseCode

OTHER_CODE = 0
"""Stands for close codes of a client's own making, so that a client cannot make new metrics."""

_NAMED_CODES = frozenset(CloseCode) | {1001, NO_STATUS, ABNORMAL, 1008, 1010, 1012, 1013, 1014}


class GatewayCounters:
    """Each only grows, but for `connections_open` and `half_open`, which are levels."""

    def __init__(self, outboxes: Outboxes[Any]) -> None:
        self._outboxes = outboxes
        self.connections_open = 0
        self.connections_total = 0
        self.half_open = 0
        """Sockets whose HTTP upgrade is not finished."""
        self.closes: Counter[int] = Counter()
        """Ended connections by close code, whoever sent it; 1006 without a CLOSE, 0 for unnamed codes."""
        self.refused: Counter[int] = Counter()
        """Handshakes refused, by HTTP status; 0 where the socket was closed without an answer."""
        self.bytes_in = 0
        """Payload bytes of data frames."""
        self.messages_in = 0
        self.pings_in = 0
        self.pings_out = 0
        self.pongs_in = 0
        self.pongs_unsolicited = 0
        self.shed = 0
        """Droppable messages that were shed because the client reads too slowly."""
        self.slow_readers = 0
        """Times that a client's queue rose above outbox_shed_bytes."""
        self.handler_errors = 0
        """Exceptions out of the message handler."""

    @property
    def bytes_out(self) -> int:
        """Bytes written, frame headers included."""
        return self._outboxes.bytes_out

    @property
    def messages_out(self) -> int:
        return self._outboxes.messages_out

    def count_close(self, code: int) -> None:
        self.closes[int(code) if code in _NAMED_CODES else OTHER_CODE] += 1
