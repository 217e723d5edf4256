"""AdmissionController: whether a message may proceed. The cheapest check comes first, and all before any side effect."""

from __future__ import annotations

import math
from typing import Final, get_args

from palaver.protocol.errors import ProtocolError
from palaver.protocol.methods.table import METHODS
from palaver.rooms.role import Claims, Grants, Need
from palaver.rooms.room import Participant
from palaver.rooms.session import State
from palaver.signaling.message import Message

_SEATED: Final = frozenset[State]({"joined"})
_AUTHENTICATED: Final = frozenset[State]({"authed", "joined"})

# method → states of the session in which it may be called (protocol § 2 and § 5).
STATES: Final[dict[str, frozenset[State]]] = {
    **dict.fromkeys(METHODS, _SEATED),
    "auth": frozenset({"new"}),
    "join": frozenset({"new", "authed", "joined"}),
    "validateToken": _AUTHENTICATED,
    "refreshToken": _AUTHENTICATED,
    "heartbeat": _AUTHENTICATED,
    "roomInfo": _AUTHENTICATED,
    "debugPing": _AUTHENTICATED,
}

NEEDS: Final[dict[str, Need]] = {"createConsumer": "canSubscribe"}
_GRANT_FIELDS: Final = dict(zip(Grants.__struct_encode_fields__, Grants.__struct_fields__, strict=True))
assert set(get_args(Need)) <= set(_GRANT_FIELDS), "every need is a grant"


class AdmissionController:
    """Checks rate, state and grants of a message. Stateless but for the caller's own buckets."""

    def validate(self, message: Message) -> None:
        """Raises ProtocolError rate_limited, unauthenticated, wrong_state or forbidden; nothing has changed then."""
        wait = message.caller.buckets[METHODS[message.method].rate].admit(message.now)
        if wait:
            raise ProtocolError("rate_limited", after_ms=math.ceil(wait * 1000 - 1e-6))
        state = message.caller.session.state
        if state not in STATES[message.method]:
            if state == "new":
                raise ProtocolError("unauthenticated")
            raise ProtocolError("wrong_state", f"{message.method} cannot be called in state {state}")
        need = NEEDS.get(message.method)
        if need is not None:
            require(message.session.claims, need)


def require(claims: Claims | None, need: Need) -> None:
    """Raises ProtocolError forbidden, naming the grant that is missing."""
    if claims is None or not getattr(claims.grants, _GRANT_FIELDS[need]):
        raise ProtocolError("forbidden", need=need)


def require_moderator(participant: Participant) -> None:
    if not participant.is_moderator:
        raise ProtocolError("forbidden", need="roomAdmin")
