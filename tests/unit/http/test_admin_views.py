"""Paging of the admin API."""

from __future__ import annotations

from palaver.http.admin_shapes import PageQuery
from palaver.http.admin_views import page


def test_pages_together_are_the_whole_in_order() -> None:
    names = [f"room{number}" for number in range(25)]
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        found, cursor = page(reversed(names), str, PageQuery(10, cursor))
        seen += found
    assert seen == sorted(names)


def test_what_goes_meanwhile_makes_no_other_disappear() -> None:
    first, cursor = page(["a", "b", "c", "d"], str, PageQuery(2))
    assert first == ["a", "b"]
    assert page(["c", "d"], str, PageQuery(2, cursor or "")) == (["c", "d"], None)


def test_an_exact_page_has_no_cursor() -> None:
    assert page(["a", "b"], str, PageQuery(2)) == (["a", "b"], None)
