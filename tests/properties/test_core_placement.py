"""Rendezvous placement: who owns a key does not depend on who asks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palaver.core import ArgumentError, rendezvous

weights = st.dictionaries(st.integers(0, 99).map(str), st.integers(0, 9), max_size=20)


@given(st.text(st.characters(codec="utf-8")), weights, st.randoms(use_true_random=False))
def test_the_order_of_the_members_does_not_matter(key: str, nodes: dict[str, int], random) -> None:
    shuffled = list(nodes.items())
    random.shuffle(shuffled)
    assert rendezvous(key, nodes, 20) == rendezvous(key.encode(), dict(shuffled), 20)


@given(st.binary(), weights)
def test_every_node_with_weight_is_a_successor_once(key: bytes, nodes: dict[str, int]) -> None:
    order = rendezvous(key, nodes, 99)
    assert sorted(order) == sorted(node for node, weight in nodes.items() if weight)


@given(st.binary(), weights.filter(lambda nodes: any(nodes.values())))
def test_when_the_owner_goes_the_successor_takes_over(key: bytes, nodes: dict[str, int]) -> None:
    owner, *successors = rendezvous(key, nodes, 99)
    rest = {node: weight for node, weight in nodes.items() if node != owner}
    assert rendezvous(key, rest, 99) == successors


@given(st.binary(), weights, st.integers(1, 9))
def test_a_node_that_comes_takes_keys_only_for_itself(key: bytes, nodes: dict[str, int], weight: int) -> None:
    before, after = rendezvous(key, nodes), rendezvous(key, nodes | {"new": weight})
    assert after in (before, ["new"])


@pytest.mark.parametrize("weight", [-1, 2**32])
def test_a_weight_out_of_range_is_refused(weight: int) -> None:
    with pytest.raises(ArgumentError, match="a weight is a whole number"):
        rendezvous("room", {"a": weight})
