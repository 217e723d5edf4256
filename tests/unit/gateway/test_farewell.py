from __future__ import annotations

from palaver.gateway.farewell import farewell, leave_in_turn
from unit.gateway.raw_websocket import on_uvloop

URLS = ("wss://a.example/v1", "wss://b.example/v1", "wss://c.example/v1")


def test_the_reason_lists_the_alternatives_from_a_place_that_differs() -> None:
    assert farewell(URLS, 0) == "go to wss://a.example/v1 wss://b.example/v1 wss://c.example/v1"
    assert farewell(URLS, 4) == "go to wss://b.example/v1 wss://c.example/v1 wss://a.example/v1"
    assert farewell((), 4) == "the node shuts down"


def test_urls_that_do_not_fit_a_close_frame_are_left_out_whole() -> None:
    long = [f"wss://{name * 60}/v1" for name in "abc"]
    reason = farewell([*long, "wss://short/v1"], 0)
    assert reason == f"go to {long[0]} wss://short/v1"
    assert len(reason.encode()) <= 123


@on_uvloop
async def test_nobody_waits_where_there_is_no_time_to_spread_over() -> None:
    left: list[int] = []
    await leave_in_turn(range(5), left.append, 0.0)
    assert left == [0, 1, 2, 3, 4]


@on_uvloop
async def test_all_have_left_before_the_time_is_over() -> None:
    left: list[int] = []
    await leave_in_turn(range(7), left.append, 0.2)
    assert sorted(left) == list(range(7))
