"""How clients are sent away: where to, and one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from palaver.gateway.close_codes import MAX_REASON_BYTES

STEP_SECONDS: Final = 0.05
"""The least time between two groups of goodbyes."""
ANSWER_SECONDS: Final = 1.0
"""How long a drain waits for the last answers: a round trip of a bad network."""
NOWHERE: Final = "the node shuts down"

Leaver = TypeVar("Leaver")


def farewell(alternatives: Sequence[str], turn: int) -> str:
    """The reason of a close: "go to URL URL …", as many as fit; `turn` moves the first place along the list.

    Whoever reads it takes the words that begin with ws:// or wss://, the best one first.
    """
    if not alternatives:
        return NOWHERE
    start = turn % len(alternatives)
    reason = "go to"
    for url in (*alternatives[start:], *alternatives[:start]):
        if len(reason) + 1 + len(url) <= MAX_REASON_BYTES:
            reason += f" {url}"
    return reason


async def leave_in_turn(leavers: Sequence[Leaver], leave: Callable[[Leaver], None], seconds: float) -> None:
    """Calls `leave` for each, the first now and the last before `seconds` are over, evenly spread."""
    steps = max(1, min(len(leavers), int(seconds / STEP_SECONDS)))
    for step in range(steps):
        for leaver in leavers[step::steps]:
            leave(leaver)
        if step + 1 < steps:
            await asyncio.sleep(seconds / steps)
