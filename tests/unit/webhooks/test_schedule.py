"""In order per room, rooms apart from one another, pauses that grow, and an end of patience."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palaver.webhooks.schedule import FIRST_PAUSE, LONGEST_PAUSE, Schedule, pause


def schedule(*events: tuple[int, str], deadline: float = 100.0) -> Schedule:
    made = Schedule(deadline, lambda: 1.0)
    for number, life in events:
        made.add(number, life, 0.0)
    return made


def test_the_next_of_a_room_waits_for_the_one_before() -> None:
    queue = schedule((1, "a"), (2, "a"), (3, "b"))
    assert [queue.take(0), queue.take(0), queue.take(0)] == [1, 3, None]
    queue.delivered(1)
    assert queue.take(0) == 2


def test_a_failed_one_holds_its_room_up_and_no_other() -> None:
    queue = schedule((1, "a"), (2, "a"), (3, "b"))
    assert queue.take(0) == 1
    assert queue.failed(1, now=0, wall=0) is False
    assert [queue.take(0), queue.take(0)] == [3, None]
    assert queue.next_due() == FIRST_PAUSE
    assert queue.take(FIRST_PAUSE - 0.01) is None
    assert queue.take(FIRST_PAUSE) == 1


def test_pauses_double_to_a_bound_and_begin_anew_after_success() -> None:
    queue = schedule((1, "a"), (2, "a"), deadline=1e9)
    now, pauses = 0.0, []
    for _ in range(10):
        assert queue.take(now) == 1
        queue.failed(1, now, now)
        due = queue.next_due()
        assert due is not None
        pauses.append(due - now)
        now = due
    assert pauses == [0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    queue.take(now)
    queue.delivered(1)
    queue.take(now)
    queue.failed(2, now, now)
    assert queue.next_due() == now + FIRST_PAUSE


def test_what_is_too_old_has_one_attempt_and_is_given_up() -> None:
    queue = schedule((1, "a"), (2, "a"))
    assert queue.take(0) == 1
    assert queue.failed(1, now=0, wall=100) is True
    assert queue.take(0) == 2
    assert len(queue) == 1


def test_what_is_forgotten_is_not_taken_and_what_is_under_way_stays() -> None:
    queue = schedule((1, "a"), (2, "a"), (3, "b"), (4, "a"), (5, "c"))
    assert queue.take(0) == 1
    assert queue.forget(3) == 2
    assert len(queue) == 3
    queue.add(6, "b", 0.0)
    queue.delivered(1)
    taken = [queue.take(0) for _ in range(4)]
    assert taken == [6, 5, 4, None]


def test_a_room_whose_events_were_all_forgotten_begins_anew() -> None:
    queue = schedule((1, "a"), (2, "b"))
    queue.take(0)
    queue.failed(1, now=0, wall=0)
    assert queue.forget(2) == 2
    assert queue.take(100) is None
    assert queue.next_due() is None
    queue.add(3, "a", 0.0)
    assert queue.take(100) == 3


@given(st.integers(1, 1000), st.floats(0, 1))
def test_a_pause_has_its_bounds(failures: int, chance: float) -> None:
    assert FIRST_PAUSE / 2 <= pause(failures, chance) <= LONGEST_PAUSE


@pytest.mark.parametrize("seed", range(20))
def test_whatever_fails_all_arrive_in_the_order_of_their_rooms(seed: int) -> None:
    chance = random.Random(seed)
    queue = Schedule(1e9, chance.random)
    for number in range(60):
        queue.add(number, f"room{number % 7}", 0.0)
    now = 0.0
    under_way: list[int] = []
    arrived: list[int] = []
    while len(queue):
        number = queue.take(now)
        if number is not None:
            under_way.append(number)
        elif under_way:
            one = under_way.pop(chance.randrange(len(under_way)))
            if chance.random() < 0.4:
                queue.failed(one, now, now)
            else:
                queue.delivered(one)
                arrived.append(one)
        else:
            due = queue.next_due()
            assert due is not None
            now = due
    assert sorted(arrived) == list(range(60))
    for room in range(7):
        of_room = [number for number in arrived if number % 7 == room]
        assert of_room == sorted(of_room)
