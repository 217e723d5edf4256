import pytest

from palaver.core import ArgumentError, MessageCache


def test_track_says_whether_the_message_is_new() -> None:
    cache = MessageCache(10)
    assert not cache.is_duplicate(b"m")
    assert cache.track(b"m")
    assert cache.is_duplicate(b"m")
    assert not cache.track(b"m")


def test_text_stands_for_its_utf8_form() -> None:
    cache = MessageCache(10)
    cache.track("ü")
    assert "ü".encode() in cache
    assert bytearray("ü".encode()) in cache


def test_memory_is_bounded_and_old_ids_are_forgotten() -> None:
    cache = MessageCache(100)
    for n in range(10_000):
        cache.track(str(n))
        assert len(cache) <= 200
    assert all(cache.is_duplicate(str(n)) for n in range(9_900, 10_000))
    assert not cache.is_duplicate("0")


@pytest.mark.parametrize("capacity", [0, -5, 2**27])
def test_a_capacity_out_of_range_is_refused(capacity: int) -> None:
    with pytest.raises(ArgumentError, match="nothing was changed"):
        MessageCache(capacity)


def test_an_id_of_another_type_is_refused() -> None:
    with pytest.raises(TypeError, match="bytes or str, not int"):
        MessageCache(1).track(7)  # type: ignore[arg-type]
