"""PeerLink: the offer/answer exchange of two participants that talk to each other directly (RFC 3264, RFC 8829)."""

from __future__ import annotations

from typing import Literal

from palaver.protocol.errors import ProtocolError
from palaver.protocol.types import Candidate
from palaver.rooms.media import EARLY_CANDIDATES, EarlyCandidates
from palaver.rooms.timers import Timers


class PeerLink:
    """One peer-to-peer connection. At most one offer is open; when two cross (glare), the smaller peer id yields.

    The generation never falls, whoever offers.
    """

    __slots__ = ("_answered", "_early", "_offers", "_timers", "generation", "offerer", "opener", "restarts")

    def __init__(self, opener: str, timers: Timers) -> None:
        self.opener = opener
        """Who mentioned it first."""
        self.generation = -1
        """Of the last offer that was delivered, whoever made it; -1 before the first."""
        self.offerer: str | None = None
        """Whose offer is open; None: no offer is."""
        self.restarts: list[float] = []
        """When iceRestart was called lately."""
        self._answered: tuple[str, int] | None = None
        self._offers: dict[str, int] = {}
        self._early: dict[str, EarlyCandidates] = {}
        self._timers = timers

    def is_next_offer(self, sender: str, receiver: str, generation: int) -> bool:
        """Whether `offer` would take it as new, and no candidates may be waiting for it."""
        return (
            generation > self.generation
            and self.offerer != receiver
            and generation > self._offers.get(sender, -1)
            and not self._early
        )

    def is_next_answer(self, sender: str, generation: int) -> bool:
        """Whether `answer` would take it, as the first."""
        return generation == self.generation and self.offerer is not None and self.offerer != sender

    def take_offer(self, sender: str, generation: int) -> None:
        """Takes an offer that may be taken."""
        self._offers[sender] = self.generation = generation
        self.offerer = sender
        self._answered = None

    def take_answer(self, sender: str, generation: int) -> None:
        """Takes an answer that may be taken."""
        self._answered = (sender, generation)
        self.offerer = None

    def offer(self, sender: str, receiver: str, generation: int) -> Literal["new", "glare", "repeat"]:
        """Takes an offer: `new` and `glare` (it voids the receiver's open one) are to be delivered, a `repeat` is not.

        Raises ProtocolError stale_generation, or conflict with the winner; nothing has changed then.
        """
        last = self._offers.get(sender)
        if last is not None and generation <= last:
            if generation == last:
                return "repeat"
            raise ProtocolError("stale_generation", f"your last offer had generation {last}", generation=last)
        glare = self.offerer == receiver
        if glare and receiver > sender:
            raise ProtocolError("conflict", "the other peer's offer came first, answer it", winner=receiver)
        # Two offers that cross may have the same generation: neither peer knew of the other's.
        if generation < self.generation + (not glare):
            raise ProtocolError(
                "stale_generation", f"the current generation is {self.generation}", generation=self.generation
            )
        self.take_offer(sender, generation)
        return "glare" if glare else "new"

    def answer(self, sender: str, generation: int) -> bool:
        """Takes the answer to the open offer. Returns False for a repeat, which is not to be delivered.

        Raises ProtocolError wrong_state (there is no such offer) or stale_generation; nothing has changed then.
        """
        if self._answered == (sender, generation):
            return False
        if self.offerer is None or self.offerer == sender:
            raise ProtocolError("wrong_state", "there is no open offer of that peer to answer")
        if generation < self.generation:
            raise ProtocolError(
                "stale_generation",
                f"the open offer has generation {self.generation}",
                generation=self.generation,
            )
        if generation > self.generation:
            raise ProtocolError("wrong_state", f"there is no offer of generation {generation}")
        self.take_answer(sender, generation)
        return True

    def admit_candidates(
        self, sender: str, generation: int, candidates: list[Candidate | str], end: bool, now: float
    ) -> bool:
        """Whether candidates are to be delivered now; False: they are kept for the offer that they came before.

        Raises ProtocolError stale_generation or limit (64 are kept, for 45 s).
        """
        if generation == self.generation:
            return True
        if generation < self.generation:
            raise ProtocolError(
                "stale_generation", f"the current generation is {self.generation}", generation=self.generation
            )
        early = self._early.get(sender)
        if early is None:
            early = self._early[sender] = EarlyCandidates(self._timers)
        if not early.keep(generation, candidates, end, now):
            raise ProtocolError("limit", f"at most {EARLY_CANDIDATES} candidates are kept before their offer")
        return False

    def take_early(self, sender: str) -> list[tuple[list[Candidate | str], bool]]:
        """The sender's kept candidates of the current generation; they are forgotten here."""
        early = self._early.get(sender) if self._early else None
        return early.take(self.generation) if early is not None else []

    def close(self) -> None:
        """One of the two has gone: nothing more is kept."""
        for early in self._early.values():
            early.forget()
