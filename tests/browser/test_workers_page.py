"""A page of one of several workers: its client is sent to the worker that has the room."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser

from harness.browser import Client
from harness.process import serving_process

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]


async def test_a_page_joins_rooms_of_every_worker_through_the_one_port(
    browser: Browser, tmp_path: Path
) -> None:
    more = ("--workers", "2", "--set", "http.demo=true", "--set", "gateway.origins=*")
    with serving_process(tmp_path, "", *more) as node:
        context = await browser.new_context()
        try:
            page = await context.new_page()
            await page.goto(node.http)
            homes = {node.url}
            # Which worker takes a client and which has a room is chance: 100 rooms leave it no say.
            for room in (f"room-{number}" for number in range(100)):
                # Two each: they see one another, whichever worker had taken them.
                pair = [await Client.join(page, node.url, node.token(f"{room}-{n}"), room) for n in range(2)]
                assert (await pair[1].call("roomInfo", {}))["counts"]["peers"] == 2
                homes |= {await each.get("client.url") for each in pair}
                if len(homes) == 3:
                    break
            else:
                pytest.fail(f"no client was sent to one of the two workers: {homes}")
        finally:
            await context.close()
