"""LogTail beside a deque that says what it does."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palaver.core import LogTail

steps = st.one_of(
    st.tuples(st.just("entry"), st.integers(0, 60)),
    st.tuples(st.just("frame"), st.integers(0, 60)),
    st.tuples(st.just("shorten"), st.integers(0, 12)),
)


@given(st.integers(0, 8), st.integers(0, 100), st.lists(steps, max_size=60), st.integers(0, 12))
def test_it_keeps_what_a_deque_with_both_bounds_keeps(
    max_entries: int, max_bytes: int, script: list[tuple[str, int]], count: int
) -> None:
    tail, naive = LogTail(max_entries, max_bytes), deque[tuple[Any, int]]()
    for number, (step, size) in enumerate(script):
        most = max_entries
        if step == "entry":
            entry = object()
            tail.append(entry, size)
            naive.append((entry, size))
        elif step == "frame":
            kept = str(number), bytes([number]) * size
            tail.append_frame(kept[1], kept[0])
            naive.append((kept, size))
        else:
            tail.shorten(size)
            most = size
        while len(naive) > most or sum(size for _, size in naive) > max_bytes:
            naive.popleft()
        assert len(tail) == len(naive)
        assert tail.newest(count) == [kept for kept, _ in naive][max(len(naive) - count, 0) :]


def test_a_size_that_no_memory_holds_is_refused() -> None:
    tail = LogTail(2, 10)
    tail.append("kept", 5)
    with pytest.raises(OverflowError):
        tail.append("too large", 1 << 64)
    with pytest.raises(ValueError, match="the size is too large"):
        tail.append("too large", (1 << 64) - 1)
    assert tail.newest(2) == ["kept"]
