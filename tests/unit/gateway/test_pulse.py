from __future__ import annotations

from palaver.gateway.pulse import BEATS_PER_PING, Pulse, pulse


def test_a_silent_client_is_pinged_each_interval_and_given_up_after_two_and_a_half() -> None:
    assert BEATS_PER_PING == 2
    course = [pulse(beats) for beats in range(7)]
    assert course == [
        Pulse.FINE,
        Pulse.FINE,
        Pulse.PING,
        Pulse.FINE,
        Pulse.PING,
        Pulse.GONE,
        Pulse.GONE,
    ]
