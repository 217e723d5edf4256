from __future__ import annotations

import pytest

from palaver.client.errors import ConnectionLost
from palaver.client.route import MAX_ALTERNATIVES, Route, alternatives

HOME, B, C = "wss://a.example/v1", "wss://b.example/v1", "wss://c.example/v1"


def tries(route: Route, count: int) -> list[str]:
    return [route.next() for _ in range(count)]


@pytest.mark.parametrize(
    ("reason", "home", "found"),
    [
        (f"go to {B} {C}", HOME, [B, C]),
        ("the node shuts down", HOME, []),
        ("go to ws://plain.example/v1 " + B, HOME, [B]),
        ("go to ws://plain.example/v1 " + B, "ws://127.0.0.1/v1", ["ws://plain.example/v1", B]),
        ("go to https://b.example javascript:x //b", HOME, []),
        (" ".join([B] * 20), HOME, [B] * MAX_ALTERNATIVES),
    ],
)
def test_the_words_of_a_reason_that_are_addresses_are_alternatives(
    reason: str, home: str, found: list[str]
) -> None:
    assert alternatives(reason, home) == found


def test_the_named_nodes_come_first_then_home_and_again() -> None:
    route = Route(HOME)
    route.lost(ConnectionLost(4001, f"go to {B} {C}"))
    assert tries(route, 5) == [B, C, HOME, B, C]


def test_after_any_other_loss_the_node_that_has_the_session_comes_first() -> None:
    route = Route(HOME)
    route.lost(ConnectionLost(4001, f"go to {B}"))
    assert route.next() == B
    route.lost(ConnectionLost(1006))
    assert tries(route, 3) == [B, HOME, B]
    route.lost(ConnectionLost(4010, f"go to {C}"))
    assert C not in tries(route, 3)


def test_a_node_that_was_sent_to_and_drains_itself_is_the_last_choice() -> None:
    route = Route(HOME)
    route.lost(ConnectionLost(4001, f"go to {B}"))
    route.next()
    route.lost(ConnectionLost(4001, f"go to {C}"))
    assert tries(route, 4) == [C, HOME, B, C]


def test_an_address_that_will_never_have_us_is_left_out_and_the_last_is_the_end() -> None:
    route = Route(HOME)
    route.lost(ConnectionLost(4001, f"go to {B} {C}"))
    assert route.next() == B
    assert route.refused()
    assert tries(route, 2) == [C, HOME]
    assert route.refused()
    assert tries(route, 2) == [C, C]
    assert not route.refused()


def test_who_is_sent_on_before_it_is_let_in_goes_there_first() -> None:
    route = Route(HOME)
    assert route.sent(ConnectionLost(4001, f"go to {B}"))
    assert tries(route, 3) == [B, HOME, B]


def test_a_loss_that_names_nobody_sends_nowhere() -> None:
    route = Route(HOME)
    assert not route.sent(ConnectionLost(4001, "the node shuts down"))
    assert not route.sent(ConnectionLost(1006, f"go to {B}"))
    assert route.current == HOME
