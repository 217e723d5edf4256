"""The demo page in calls of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Browser

from harness.browser import Participant, Wire, join_link, participant
from harness.node import RunningNode, running_node

MODES = pytest.mark.parametrize("mode", ["node", "p2p"])
ROOM = "garden"


def link(node: RunningNode, identity: str, mode: str = "node", auto: bool = True, **claims: Any) -> str:
    return join_link(node.http, node.token(identity, room=ROOM, **claims), ROOM, mode, auto)


async def see_each_other(*people: Participant) -> None:
    for one in people:
        await one.is_in(len(people))
    for one in people:
        for other in people:
            if one is not other:
                await one.sees(other.identity)


@asynccontextmanager
async def two_in_a_call(
    browser: Browser, mode: str = "node", wire: Wire | None = None
) -> AsyncIterator[tuple[RunningNode, Participant, Participant]]:
    """A node, and anna and ben, who see each other; `wire` is anna's."""
    async with (
        running_node(demo=True) as node,
        participant(browser, link(node, "anna", mode), "anna", wire=wire) as anna,
        participant(browser, link(node, "ben", mode), "ben") as ben,
    ):
        await see_each_other(anna, ben)
        yield node, anna, ben
