"""The load tool against a real node: each preset, made small, finds what it should. Counts only, no times."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec.structs import replace

from harness.node import RunningNode, running_node
from palaver.bench.figures import Figures, figures_of
from palaver.bench.plot import latency_plot
from palaver.bench.run import Measurement, Runner
from palaver.bench.scenario import Fanout, Idle, Relay, Scenario, SlowReader, Storm, adjusted, preset
from palaver.bench.server_process import ServerProcess
from palaver.bench.target import target_of
from palaver.bench.wire import plan_of

HIGH = 1_000_000
LIMITS = {
    "requests_per_second": HIGH,
    "request_burst": HIGH,
    "candidates_per_second": HIGH,
    "candidate_burst": HIGH,
    "told_bytes_per_second": 1 << 30,
    "told_burst_bytes": 1 << 30,
}


@pytest.fixture
async def node() -> AsyncIterator[RunningNode]:
    async with running_node(limits=LIMITS) as node:
        yield node


async def measured(node: RunningNode, scenario: Scenario, run: str = "t") -> Figures:
    plan = plan_of(scenario, target_of(node.url), lambda who, room, role: node.token(who, room, role), run)
    runner = Runner(plan, ServerProcess(os.getpid()))

    def carried_out() -> Any:
        for _ in runner.watch():
            pass
        return runner.finish()

    return figures_of("test", node.url, scenario, await asyncio.to_thread(carried_out), [os.getpid()])


def told(figures: Figures) -> list[str]:
    """Its notes, but for those that a busy machine gives."""
    return [note for note in figures.notes if "the load side" not in note]


def short(name: str, **changes: Any) -> Scenario:
    return adjusted(preset(name), name, seconds=0.4, warm_up=0.1, **changes)


async def test_a_plan_in_rounds_keeps_its_clients_from_round_to_round(node: RunningNode) -> None:
    scenario = short("trickle", pairs=2)
    plan = plan_of(scenario, target_of(node.url), lambda who, room, role: node.token(who, room, role), "r")
    plan = replace(plan, timing=replace(plan.timing, warm_up=0.05, measure=0.2, rounds=True))
    runner = Runner(plan, ServerProcess(os.getpid()))

    def rounds() -> list[Measurement]:
        runner.wait_until_in()
        found = [runner.round(), runner.round()]
        runner.stop()
        assert runner.finish().report.closes == []
        return found

    for found in await asyncio.to_thread(rounds):
        (stage,) = found.report.stages
        assert (found.report.ready, found.report.errors, stage.lost) == (4, [], 0)
        assert stage.in_time > 0 and found.report.measured >= 200_000_000
        assert found.first is not None and found.last is not None
        assert found.last.messages > found.first.messages and found.last.cpu > found.first.cpu


async def test_a_plan_in_rounds_says_who_is_not_let_in(node: RunningNode) -> None:
    plan = plan_of(short("relay", pairs=1), target_of(node.url), lambda who, room, role: "no token", "r")
    runner = Runner(replace(plan, timing=replace(plan.timing, rounds=True)), None)
    with pytest.raises(OSError, match=r"2 clients were not let in: .*token_invalid"):
        await asyncio.to_thread(runner.wait_until_in)


async def test_relay(node: RunningNode) -> None:
    figures = await measured(node, short("relay", pairs=4))
    (stage,) = figures.stages
    assert (figures.sessions, figures.failed, told(figures)) == (8, 0, [])
    assert stage.arrived > 4 and stage.latency is not None and stage.latency.count == stage.arrived
    assert figures.server is not None and figures.server.cpu_micros_per_message is not None


async def test_relay_with_replies(node: RunningNode) -> None:
    (stage,) = (await measured(node, short("relay", pairs=2, replies=True))).stages
    assert stage.replies > 2 and abs(stage.replies - stage.arrived) <= 2
    assert stage.lost == 0


async def test_relay_at_a_rate(node: RunningNode) -> None:
    (stage,) = (await measured(node, short("relay", pairs=2, rate=100.0))).stages
    assert (stage.lost, stage.left_out) == (0, 0)
    assert stage.lateness is not None and stage.lateness.count == stage.sent >= 30


async def test_trickle(node: RunningNode) -> None:
    figures = await measured(node, short("trickle", pairs=2))
    (stage,) = figures.stages
    assert stage.sent % 10 == 0 and stage.arrived > 20
    assert told(figures) == []


async def test_fanout(node: RunningNode) -> None:
    figures = await measured(node, short("fanout", room_size=5))
    (stage,) = figures.stages
    assert told(figures) == []
    assert abs(stage.arrived - 4 * stage.sent) <= 8


async def test_joins(node: RunningNode) -> None:
    figures = await measured(node, short("joins", clients=4))
    assert figures.stages[0].arrived > 4
    assert (figures.sessions, told(figures)) == (0, [])


async def test_storm(node: RunningNode) -> None:
    figures = await measured(node, short("storm", sessions=20))
    assert (figures.sessions, told(figures)) == (20, [])
    assert figures.entering_since_start is not None and figures.entering_since_start.count == 20


async def test_idle(node: RunningNode) -> None:
    figures = await measured(node, short("idle", sessions=20))
    assert (figures.sessions, told(figures)) == (20, [])
    assert figures.server is not None and figures.server.memory_per_session is not None


async def test_slow_reader(node: RunningNode) -> None:
    figures = await measured(node, short("slow-reader", slow=2, readers=2))
    (stage,) = figures.stages
    assert told(figures) == [] and stage.arrived >= 2 * stage.sent - 4


async def test_mixed(node: RunningNode) -> None:
    scenario = adjusted(short("mixed", room_size=3, pairs=2, clients=20), "mixed", sessions=4)
    figures = await measured(node, scenario)
    assert [stage.name for stage in figures.stages] == ["idle", "joins", "relay", "trickle", "fanout"]
    assert all(stage.arrived for stage in figures.stages[1:])
    assert (figures.failed, figures.refusals, figures.closes) == (0, [], {})
    assert latency_plot(figures).count("<polyline") == 5


async def test_limits_that_are_hit_are_told_whether_the_messages_are_requests_or_not() -> None:
    async with running_node(limits={"requests_per_second": 50, "request_burst": 20}) as node:
        answered = await measured(node, short("relay", pairs=1, replies=True), "a")
        unanswered = await measured(node, adjusted(short("relay", pairs=1), "relay", seconds=1.0), "b")
    for figures, dropped in (answered, 0), (unanswered, 1):
        (stage,) = figures.stages
        (refusal,) = figures.refusals
        assert refusal.reason == "rate_limited" and refusal.after_ms is not None and refusal.after_ms <= 20
        assert stage.refused > 0 and (stage.lost, stage.undrained) == (dropped, 0)
        assert stage.limited_after is not None and stage.arrived > 5
        assert any("rate limits were hit" in note for note in figures.notes)
        assert any("gateway.toml" in note for note in figures.notes)


@pytest.mark.parametrize("name", ["relay", "trickle", "fanout", "slow-reader"])
async def test_a_node_as_it_comes_is_loaded_up_to_its_limits(name: str) -> None:
    """With a tenth of its bursts, so that they are used up while the test warms up."""
    bursts = {"request_burst": 100, "candidate_burst": 500, "told_burst_bytes": 38 * 1024}
    changes: dict[str, Any] = {"pairs": 2} if name in ("relay", "trickle") else {}
    scenario = adjusted(preset(name), name, seconds=1.0, warm_up=0.7, **changes)
    async with running_node(limits=bursts) as node:
        figures = await measured(node, scenario)
    (stage,) = figures.stages
    assert stage.arrived > 20 and stage.refused > 0, figures.notes
    assert stage.limited_after is not None and any("limits were hit" in note for note in figures.notes)
    assert [refusal.reason for refusal in figures.refusals] == ["rate_limited"]
    assert figures.closes.keys() <= {"4002"}


async def test_a_wrong_token_is_told(node: RunningNode) -> None:
    plan = plan_of(short("relay", pairs=1), target_of(node.url), lambda who, room, role: "nonsense", "t")
    runner = Runner(plan, None)
    await asyncio.to_thread(lambda: [None for _ in runner.watch()])
    report = runner.finish().report
    assert (report.ready, report.failed) == (0, 2)
    assert [reason for reason, *_ in report.errors] == ["token_invalid"]


def test_the_presets_are_what_they_are_named() -> None:
    kinds = {
        name: type(preset(name).stage[0]) for name in ("relay", "fanout", "storm", "idle", "slow-reader")
    }
    assert kinds == {
        "relay": Relay,
        "fanout": Fanout,
        "storm": Storm,
        "idle": Idle,
        "slow-reader": SlowReader,
    }
