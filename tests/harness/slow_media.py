"""A media node that takes its time."""

from __future__ import annotations

from typing import Any

from palaver.signaling.ports import Answer


class SlowMedia:
    """A media node that answers when the test says so."""

    node = "slow"

    def __init__(self) -> None:
        self.closed: list[Any] = []

    async def accept_offer(self, *_: Any) -> Answer:
        await Turn()
        return Answer("v=0\r\n", {})

    def close_transport(self, handle: Any) -> None:
        self.closed.append(handle)

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


class Turn:
    def __await__(self) -> Any:
        yield
