"""MemoryLedger: for a node without a state directory. What it keeps ends with the process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from palaver.signaling.rulings import Ruling


class MemoryLedger:
    def __init__(self) -> None:
        self._rulings: dict[str, Ruling] = {}

    def load(self) -> Iterable[Ruling]:
        return list(self._rulings.values())

    def record(self, rulings: Sequence[Ruling]) -> None:
        self._rulings.update((each.id, each) for each in rulings)

    def erase(self, id: str) -> None:
        self._rulings.pop(id, None)

    def purge(self, now: float) -> None:
        self._rulings = {id: each for id, each in self._rulings.items() if not each.is_over(now)}

    def news(self) -> Mapping[str, Ruling | None]:
        return {}

    def why_not_ready(self) -> str | None:
        return None

    def close(self) -> None:
        """Nothing to close."""
