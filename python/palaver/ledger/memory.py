"""MemoryLedger: for a node without a state directory. What it keeps ends with the process."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from palaver.signaling.rulings import Ruling


class MemoryLedger:
    def __init__(self) -> None:
        self._rulings: list[Ruling] = []

    def load(self) -> Iterable[Ruling]:
        return list(self._rulings)

    def record(self, rulings: Sequence[Ruling]) -> None:
        self._rulings.extend(rulings)

    def erase(self, id: str) -> None:
        self._rulings = [each for each in self._rulings if each.id != id]

    def close(self) -> None:
        """Nothing to close."""
