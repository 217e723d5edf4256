from __future__ import annotations

import pytest

from palaver.gateway.timer_wheel import TimerWheel


class Entry:
    def __init__(self, following: float | None = None) -> None:
        self.wheel_slot = -1
        self.calls: list[float] = []
        self.following = following

    def due(self, now: float) -> float | None:
        self.calls.append(now)
        following, self.following = self.following, None
        return following


def advance(wheel: TimerWheel, start: float, end: float, step: float = 0.1) -> None:
    steps = round((end - start) / step)
    for index in range(1, steps + 1):
        wheel.advance(start + index * step)


def test_a_deadline_is_met_within_a_tick_and_never_early() -> None:
    wheel, entry = TimerWheel(0.1, now=100.0), Entry()
    wheel.set(entry, 101.05)
    advance(wheel, 100.0, 101.0)
    assert entry.calls == []
    advance(wheel, 101.0, 101.3)
    assert len(entry.calls) == 1
    assert 101.05 <= entry.calls[0] <= 101.05 + 0.2
    assert len(wheel) == 0


def test_a_deadline_beyond_the_round_waits_for_its_round() -> None:
    wheel, entry = TimerWheel(0.1, now=0.0, slots=8), Entry()
    wheel.set(entry, 5.0)
    advance(wheel, 0.0, 4.9)
    assert entry.calls == []
    advance(wheel, 4.9, 5.3)
    assert len(entry.calls) == 1


def test_an_entry_that_names_a_next_deadline_is_called_again() -> None:
    wheel, entry = TimerWheel(0.1, now=0.0), Entry(following=2.0)
    wheel.set(entry, 1.0)
    advance(wheel, 0.0, 1.5)
    assert len(entry.calls) == 1
    advance(wheel, 1.5, 2.5)
    assert len(entry.calls) == 2


def test_a_moved_deadline_counts_and_the_old_one_does_not() -> None:
    wheel, entry = TimerWheel(0.1, now=0.0), Entry()
    wheel.set(entry, 1.0)
    wheel.set(entry, 3.0)
    assert len(wheel) == 1
    advance(wheel, 0.0, 2.9)
    assert entry.calls == []
    advance(wheel, 2.9, 3.3)
    assert len(entry.calls) == 1


def test_a_discarded_entry_is_not_called() -> None:
    wheel, entry = TimerWheel(0.1, now=0.0), Entry()
    wheel.set(entry, 1.0)
    wheel.discard(entry)
    wheel.discard(entry)
    advance(wheel, 0.0, 2.0)
    assert entry.calls == []


def test_an_entry_may_discard_another_that_is_due_too() -> None:
    wheel = TimerWheel(0.1, now=0.0)

    class Rival(Entry):
        rival: Rival

        def due(self, now: float) -> float | None:
            wheel.discard(self.rival)
            return super().due(now)

    one, other = Rival(), Rival()
    one.rival, other.rival = other, one
    wheel.set(one, 1.0)
    wheel.set(other, 1.0)
    advance(wheel, 0.0, 2.0)
    assert len(one.calls) + len(other.calls) == 1


def test_a_leap_of_the_clock_meets_all_deadlines_it_passed() -> None:
    wheel = TimerWheel(0.1, now=0.0, slots=8)
    entries = [Entry() for _ in range(50)]
    for index, entry in enumerate(entries):
        wheel.set(entry, index * 1.0)
    wheel.advance(3600.0)
    assert all(len(entry.calls) == 1 for entry in entries)


def test_a_deadline_in_the_past_is_met_at_the_next_tick() -> None:
    wheel, entry = TimerWheel(0.1, now=50.0), Entry()
    wheel.set(entry, 1.0)
    wheel.advance(50.2)
    assert len(entry.calls) == 1


def test_a_wheel_without_a_tick_is_refused() -> None:
    with pytest.raises(ValueError, match="tick"):
        TimerWheel(0.0, now=0.0)
