"""The parts together, without a node."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from palaver.rooms.observer import Observation
from palaver.settings import WebhookSettings
from palaver.webhooks import Webhooks


async def told(webhooks: Webhooks) -> list[tuple[str, str, int]]:
    rows, _ = await webhooks.events(0, 100)
    events = [msgspec.json.decode(body) for _, body in rows]
    return [(each["event"], each.get("reason", ""), each["seq"]) for each in events]


def begin(state_dir: Path) -> Webhooks:
    return Webhooks(WebhookSettings(), str(state_dir), "node", lambda: "")


async def test_a_crash_ends_the_rooms_at_the_next_start(tmp_path: Path) -> None:
    crashed = begin(tmp_path)
    await crashed.start()
    crashed.observe(Observation("room_started", "room", 1))
    async with asyncio.timeout(5):
        while not await told(crashed):
            pass
    for task in crashed._tasks:  # nothing else is left of it
        task.cancel()

    for _ in range(2):  # once is enough
        again = begin(tmp_path)
        await again.start()
        async with asyncio.timeout(5):
            while len(await told(again)) < 2:
                pass
        assert await told(again) == [("room_started", "", 1), ("room_finished", "restart", 2)]
        await again.close()
    await crashed.close()


async def test_a_stop_ends_the_rooms(tmp_path: Path) -> None:
    webhooks = begin(tmp_path)
    await webhooks.start()
    webhooks.observe(Observation("room_started", "room", 1))
    await webhooks.close()
    await webhooks.close()
    again = begin(tmp_path)
    assert await told(again) == [("room_started", "", 1), ("room_finished", "shutdown", 2)]
    await again.close()
