"""The errors on the wire: each has a code, a stable reason and advice on whether to try again (docs/protocol.md § 3)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal

from palaver.errors import PalaverError

Retry = Literal["never", "same", "reconnect", "elsewhere"]

# reason: (code, retry, default message). JSON-RPC 2.0 § 5.1 defines the first five codes; -32000…-32099 are ours.
REASONS: Final[dict[str, tuple[int, Retry, str]]] = {
    "parse_error": (-32700, "never", "the message is not valid JSON or MessagePack"),
    "invalid_request": (-32600, "never", "the message is not a JSON-RPC 2.0 request"),
    "method_not_found": (-32601, "never", "there is no such method"),
    "invalid_params": (-32602, "never", "the params do not fit the method"),
    "internal": (-32000, "same", "something broke on our side"),
    "unauthenticated": (-32001, "never", "authenticate first"),
    "token_expired": (-32002, "never", "the token has expired"),
    "token_revoked": (-32003, "never", "the token has been revoked"),
    "token_invalid": (-32004, "never", "the token is not valid"),
    "forbidden": (-32005, "never", "that is not allowed to you"),
    "wrong_state": (-32006, "never", "that cannot be done in this state"),
    "not_found": (-32007, "never", "there is no such thing here, or it is not yours to see"),
    "conflict": (-32008, "never", "that conflicts with what is already there"),
    "room_locked": (-32011, "never", "the room is locked"),
    "room_full": (-32012, "same", "the room is full"),
    "banned": (-32013, "never", "you are banned from this room"),
    "limit": (-32014, "never", "a limit is reached"),
    "too_large": (-32015, "never", "that is too large"),
    "rate_limited": (-32016, "same", "too many requests"),
    "codec_unsupported": (-32021, "never", "no codec in common"),
    "bad_sdp": (-32022, "never", "the SDP cannot be used"),
    "stale_generation": (-32023, "never", "a newer generation is known"),
    "media_unavailable": (-32024, "elsewhere", "no media node can serve this now"),
    "node_draining": (-32031, "elsewhere", "this node is draining"),
    "unavailable": (-32032, "same", "not available right now"),
    "timeout": (-32033, "same", "that took too long"),
}


class ProtocolError(PalaverError):
    """A request that is refused. Nothing has been changed.

    `reason` is one of REASONS; `extra` goes into the error's `data` (`need`, `path`, `line`, `winner`, `ref`, …).
    """

    def __init__(
        self, reason: str, message: str | None = None, *, after_ms: int | None = None, **extra: Any
    ) -> None:
        self.code, self.retry, default = REASONS[reason]
        super().__init__(message or default)
        self.reason = reason
        self.after_ms = after_ms
        self.extra = extra

    @classmethod
    @contextmanager
    def below(cls, place: str) -> Iterator[None]:
        """Puts `place` before the paths of what is raised within, where params are a part of others: `$.sdp` of a join's
        offer is `$.offer.sdp`."""
        try:
            yield
        except cls as error:
            path = error.extra.get("path")
            if path is not None:
                error.extra["path"] = f"$.{place}{path[1:]}"
            raise

    def body(self) -> dict[str, Any]:
        """The JSON-RPC error object."""
        data = {"reason": self.reason, "retry": self.retry, "afterMs": self.after_ms, **self.extra}
        return {"code": self.code, "message": str(self), "data": data}
