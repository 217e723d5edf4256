"""What the client raises.

palaver.errors.PalaverError └── ClientError
    ├── ConnectionLost     the socket is closed; carries code, reason and whether to reconnect
    ├── RequestRefused     the node answered with an error; carries code, reason and data
    ├── RequestTimeout     the node did not answer in time; whether it acted is unknown
    ├── SessionLost        the session ended while the request was under way: what you made in the room is gone
    └── MediaEnded         the track, the producer or the call is closed
"""

from __future__ import annotations

from typing import Any

from palaver.errors import PalaverError
from palaver.protocol.close_codes import CloseCode

_FINAL = {
    CloseCode.NORMAL,
    CloseCode.PROTOCOL_ERROR,
    CloseCode.UNSUPPORTED_DATA,
    CloseCode.INVALID_TEXT,
    CloseCode.TOO_BIG,
}


class ClientError(PalaverError):
    """The root of what the client raises."""


class ConnectionLost(ClientError):
    """The socket is closed, or could not be opened (code 1006).

    `reconnect` tells whether coming back makes sense (protocol § 2): 4500–4999 and the RFC's own errors say
    no.
    """

    def __init__(self, code: int, reason: str = "") -> None:
        self.code = code
        self.reason = reason or _words(code)
        super().__init__(f"{self.reason} ({code})")

    @property
    def reconnect(self) -> bool:
        return not (4500 <= self.code <= 4999 or self.code in _FINAL)


class RequestRefused(ClientError):
    """The node answered with an error. `reason` is stable (protocol § 3); the message is for people."""

    def __init__(self, method: str, code: int, message: str, data: dict[str, Any]) -> None:
        self.method = method
        self.code = code
        self.data = data
        self.reason = str(data.get("reason", "internal"))
        self.retry = str(data.get("retry", "never"))
        """never, same, reconnect or elsewhere."""
        after = data.get("afterMs")
        self.wait = after / 1000 if self.retry == "same" and isinstance(after, int) else None
        """In so many seconds the same request may succeed; None if the node named no time."""
        super().__init__(f"{method}: {message} ({self.reason})")


class RequestTimeout(ClientError):
    """No answer in time. Whether the node acted is unknown; every verb may be repeated (creators: with the
    same id).
    """


class SessionLost(ClientError):
    """The session could not be resumed and the room was joined afresh. What this request was about is gone."""


class MediaEnded(ClientError):
    """The track, the producer or the call that was meant is closed."""


def _words(code: int) -> str:
    try:
        return CloseCode(code).name.lower().replace("_", " ")
    except ValueError:
        return "the connection was lost"
