"""How long a stop takes: what clients can hold up, and what they cannot. On a clock that skips every wait."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable

import pytest

from harness import skipped_time
from harness.node import RunningNode, running_node
from palaver.gateway.farewell import ANSWER_SECONDS
from palaver.node import HURRY_SECONDS
from unit.gateway.raw_websocket import RawWebSocket, close_frame

SPREAD = 2.0


async def stopped(node: RunningNode, *clients: RawWebSocket, answering: bool) -> tuple[list[float], float]:
    """Stops a node by SIGTERM: after how many seconds the clients were told, in order, and the node had ended."""
    now: Callable[[], float] = asyncio.get_running_loop().time
    running = asyncio.create_task(node.node.run_until_stopped())
    await asyncio.sleep(0)  # from here on it listens to signals
    begin = now()

    async def heard(client: RawWebSocket) -> float:
        code = await client.close_code()
        after = now() - begin
        assert code == 4001
        if answering:
            client.send(close_frame(code))
            client.writer.close()
        return after

    hearing = [asyncio.create_task(heard(client)) for client in clients]
    os.kill(os.getpid(), signal.SIGTERM)
    await running
    await node.node.close()
    return sorted(await asyncio.gather(*hearing)), now() - begin


@pytest.mark.parametrize("answering", [True, False])
def test_clients_hold_a_stop_up_for_a_second_after_the_last_goodbye_at_most(answering: bool) -> None:
    async def scene() -> None:
        async with (
            running_node(media={"embedded": False}, gateway={"drain_seconds": SPREAD}) as node,
            RawWebSocket.open(node.node.gateway) as one,
            RawWebSocket.open(node.node.gateway) as two,
        ):
            told, ended = await stopped(node, one, two, answering=answering)
        assert told == pytest.approx([0.0, SPREAD / 2]), "spread over the time of a drain"
        held_up = 0.0 if answering else ANSWER_SECONDS + HURRY_SECONDS
        assert ended == pytest.approx(SPREAD / 2 + held_up)

    skipped_time.run(scene())
