"""A node whose loop stands still refuses statistics for a while, and nothing else."""

from __future__ import annotations

import asyncio
import time

from harness.node import running_node
from unit.gateway.raw_websocket import on_uvloop


@on_uvloop
async def test_a_stalled_loop_sheds_and_recovers() -> None:
    limits = {"shed_lag_ms": 400}
    async with running_node(limits=limits, media={"embedded": False}) as node:
        admission = node.node.plane.admission
        assert admission.shedding == 0
        await asyncio.sleep(0)  # the ticker begins
        time.sleep(1.0)  # the stall itself
        while admission.shedding == 0:
            await asyncio.sleep(0)
        assert node.node.lag.longest > 0.8
        while admission.shedding:
            await asyncio.sleep(0.01)
        assert node.node.lag.seconds <= 0.4
