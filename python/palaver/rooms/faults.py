"""Faults made on purpose (chaosInject): what a session is sent gets lost, late, doubled or out of order, for a while.

Events keep their numbers, so that a client notices what is missing and resumes: that is what a fault is to show.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal, get_args

from msgspec import Struct

from palaver.rooms.timers import Timers

if TYPE_CHECKING:
    from palaver.rooms.session import SignalingSession

FaultKind = Literal[
    "drop", "delay", "duplicate", "reorder", "partition", "killSession", "slowConsumer", "drain", "mediaFail"
]
Scope = Literal["self", "session", "room", "node"]

MAX_ACTIVE: Final = 16
REORDER_MS: Final = 200.0
"""How long a message waits at most for another to overtake it."""


class Fault(Struct, frozen=True):
    id: str
    kind: FaultKind
    scope: Scope
    session: str
    room: str
    until: float
    p: float = 1.0
    ms: float = 0.0

    def concerns(self, session: SignalingSession) -> bool:
        if self.scope == "node":
            return True
        return session.room_id == self.room if self.scope == "room" else session.session_id == self.session


class Faults:
    """The faults under way. `active` is empty unless somebody injected one: the hot path asks only that."""

    def __init__(self, timers: Timers, clock: Callable[[], float], entropy: Callable[[int], bytes]) -> None:
        self.active: list[Fault] = []
        self.injected: dict[str, int] = dict.fromkeys(get_args(FaultKind), 0)
        """Kind → how many were injected."""
        self.struck: dict[str, int] = dict.fromkeys(get_args(FaultKind), 0)
        """Kind → how many messages were hit."""
        self._timers = timers
        self._clock = clock
        self._entropy = entropy
        self._held: dict[str, Callable[[], object]] = {}
        """Session → its message that waits to be overtaken."""

    def inject(self, fault: Fault) -> None:
        """Begins a fault; it ends by itself."""
        self.active.append(fault)
        self.injected[fault.kind] += 1
        self._timers.at(fault.until, lambda: self.active.remove(fault))

    @property
    def drains(self) -> bool:
        """Whether the node takes no newcomers."""
        return any(each.kind == "drain" and each.scope == "node" for each in self.active)

    def cuts_off(self, session: SignalingSession) -> bool:
        """Whether what the session sends is lost."""
        return any(each.kind == "partition" and each.concerns(session) for each in self.active)

    def send(self, session: SignalingSession, send: Callable[[], object]) -> None:
        """Sends a message, or does to it what the faults say; the first that strikes decides."""
        overtaken = self._held.pop(session.session_id, None)
        if overtaken is not None:
            send()
            overtaken()
            return
        for fault in self.active:
            if fault.kind not in _STRIKING or not fault.concerns(session) or not self._strikes(fault):
                continue
            self.struck[fault.kind] += 1
            if fault.kind == "delay":
                self._timers.at(self._clock() + fault.ms / 1000, send)
            elif fault.kind == "duplicate":
                send()
                send()
            elif fault.kind == "reorder":
                self._hold(session, send, fault.ms or REORDER_MS)
            return  # drop, partition: it is gone
        send()

    def _strikes(self, fault: Fault) -> bool:
        return fault.p >= 1 or int.from_bytes(self._entropy(4), "big") < fault.p * 2**32

    def _hold(self, session: SignalingSession, send: Callable[[], object], ms: float) -> None:
        sent = False

        def once() -> None:
            nonlocal sent
            if not sent:
                sent = True
                self._held.pop(session.session_id, None)
                send()

        self._held[session.session_id] = once
        self._timers.at(self._clock() + ms / 1000, once)


_STRIKING: Final = frozenset({"drop", "delay", "duplicate", "reorder", "partition"})
