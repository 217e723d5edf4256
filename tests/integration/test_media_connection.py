"""Peer connections of palaver.rtc on loopback: what they may not do, and that they can be closed at any moment."""

from __future__ import annotations

import asyncio
import random

import pytest

from harness.media import LOOPBACK, decoders, eventually, no_tasks_left, open_sockets
from palaver.rtc import Description, apply_description, close_connection, peer_connection
from palaver.rtc.patterns import TestPicture, TestTone


async def test_candidates_are_on_the_chosen_addresses_only_and_no_server_is_asked() -> None:
    pc = peer_connection(addresses=LOOPBACK)
    pc.addTransceiver("audio")
    await pc.setLocalDescription()
    candidates = [line for line in pc.localDescription.sdp.splitlines() if line.startswith("a=candidate:")]
    assert candidates
    assert all(" 127.0.0.1 " in line and line.endswith("typ host") for line in candidates)
    await close_connection(pc)


async def test_closing_goes_on_when_nobody_waits_for_it_any_more() -> None:
    async with no_tasks_left():
        pc = peer_connection(addresses=LOOPBACK)
        pc.addTransceiver("audio")
        await pc.setLocalDescription()
        closing = asyncio.create_task(close_connection(pc))
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.wait([closing])
        await eventually(lambda: pc.connectionState == "closed", "the connection closes")
        await close_connection(pc)


@pytest.mark.parametrize("seed", range(12))
async def test_a_connection_closed_while_it_connects_leaves_nothing(seed: int) -> None:
    chance = random.Random(seed)
    sockets = open_sockets()
    async with no_tasks_left():
        a, b = peer_connection(addresses=LOOPBACK), peer_connection(addresses=LOOPBACK)
        a.addTransceiver(TestPicture(), "sendonly")
        a.addTransceiver(TestTone(), "sendonly")
        await a.setLocalDescription()
        await apply_description(b, Description.parse(a.localDescription.sdp), "offer")
        await b.setLocalDescription()
        await apply_description(a, Description.parse(b.localDescription.sdp), "answer")
        await asyncio.sleep(chance.random() * 0.1)  # the moment is the point
        await asyncio.gather(close_connection(a), close_connection(b))
    assert decoders() == 0
    await eventually(lambda: open_sockets() <= sockets, "sockets are closed")
