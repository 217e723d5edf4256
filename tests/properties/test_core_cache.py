"""The native MessageCache against an exact model of what it promises."""

from hypothesis import given
from hypothesis import strategies as st

from palaver.core import MessageCache


@given(st.integers(1, 6), st.lists(st.binary(max_size=1)))
def test_the_last_capacity_ids_are_known_and_no_other_is_invented(capacity: int, script: list[bytes]) -> None:
    cache = MessageCache(capacity)
    order: list[bytes] = []
    for msg_id in script:
        known = cache.is_duplicate(msg_id)
        assert known or msg_id not in order[-capacity:]
        assert not known or msg_id in order
        assert cache.track(msg_id) is not known
        if msg_id in order:
            order.remove(msg_id)
        order.append(msg_id)
        assert len(cache) <= 2 * capacity


@given(st.lists(st.binary(max_size=2)))
def test_tracking_many_is_tracking_each(script: list[bytes]) -> None:
    one, other = MessageCache(5), MessageCache(5)
    assert one.track_many(script) == [other.track(msg_id) for msg_id in script]
