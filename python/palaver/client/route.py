"""Route: the addresses at which a session may go on, in the order in which they are tried."""

from __future__ import annotations

from palaver.client.errors import ConnectionLost
from palaver.protocol.close_codes import CloseCode

MAX_ALTERNATIVES = 8
"""A close reason has 123 bytes (RFC 6455 § 5.5), so there are never more."""


def alternatives(reason: str, home: str) -> list[str]:
    """The addresses in the reason of a close with 4001, best first.

    Without those that are not encrypted where `home` is: a token is not shown in the clear because a node says so.
    """
    allowed = ("wss://",) if home.startswith("wss://") else ("ws://", "wss://")
    return [word for word in reason.split(" ") if word.startswith(allowed)][:MAX_ALTERNATIVES]


class Route:
    """Begins at `home`. After a loss call `lost`, then `next` before each attempt.

    A node that shuts down names others: these come first, then home, then the node itself. After any other loss it
    is the node that has the session, then home. Whoever goes through all begins again.
    """

    def __init__(self, home: str) -> None:
        self.home = home
        self.current = home
        self._candidates = [home]
        self._turn = 0

    def lost(self, error: ConnectionLost) -> None:
        told = alternatives(error.reason, self.home) if error.code == CloseCode.SHUTDOWN else []
        order = [*told, self.home, self.current] if told else [self.current, self.home]
        self._candidates = list(dict.fromkeys(order))
        self._turn = 0

    def sent(self, error: ConnectionLost) -> bool:
        """Like `lost`, for a node that names others before it has us; False, and nothing done, where it names none."""
        if error.code != CloseCode.SHUTDOWN or not alternatives(error.reason, self.home):
            return False
        self.lost(error)
        return True

    def next(self) -> str:
        """Moves on to the address of the next attempt and returns it."""
        self.current = self._candidates[self._turn % len(self._candidates)]
        self._turn += 1
        return self.current

    def refused(self) -> bool:
        """The current address will never have us. Returns whether another is left to try."""
        if self.current not in self._candidates or len(self._candidates) == 1:
            return False
        place = self._candidates.index(self.current)
        del self._candidates[place]
        self._turn = place
        return True
