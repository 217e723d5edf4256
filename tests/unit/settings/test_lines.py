"""The scanner finds the line of a key, and no text makes it raise."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palaver.settings.lines import KeyPath, key_lines, line_of

DOCUMENT = '''\
# comment = 1
title = "a # b"

[gateway]
port = 1.5 # [not.a.table]
origins = [
  "a", # one
  # two
  "b]",
]
text = """
[inside]
key = 1
"""
dotted.inner."quo ted" = 'x'

[a . b]
c = { d = 1, e = { f = [1, [2]] } }
when = 1979-05-27T07:32:00Z

[[many]]
x = 1
[[many]]
x = 2
[many.sub]
y = 3
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 2),
        (("gateway",), 4),
        (("gateway", "port"), 5),
        (("gateway", "origins"), 6),
        (("gateway", "origins", 0), 7),
        (("gateway", "origins", 1), 9),
        (("gateway", "text"), 11),
        (("gateway", "dotted", "inner", "quo ted"), 15),
        (("a", "b"), 17),
        (("a", "b", "c", "e", "f", 1, 0), 18),
        (("a", "b", "when"), 19),
        (("many", 0, "x"), 22),
        (("many", 1, "x"), 24),
        (("many", 1, "sub", "y"), 26),
    ],
)
def test_a_key_is_found_on_its_line(path: KeyPath, line: int) -> None:
    tomllib.loads(DOCUMENT)
    assert key_lines(DOCUMENT)[path] == line


@pytest.mark.parametrize("path", [("inside",), ("not",), ("comment",), ("gateway", "text", "key")])
def test_what_stands_in_strings_and_comments_is_no_key(path: KeyPath) -> None:
    assert path not in key_lines(DOCUMENT)


def test_a_path_without_a_line_gets_that_of_what_holds_it() -> None:
    assert line_of(key_lines(DOCUMENT), ("gateway", "nothing")) == 4
    assert line_of(key_lines(DOCUMENT), ("nothing",)) is None


def test_deep_nesting_ends_the_scan_and_not_the_process() -> None:
    assert ("a",) in key_lines("a = " + "[" * 100_000)


@given(st.text())
def test_no_text_makes_it_raise(text: str) -> None:
    key_lines(text)


@given(st.text(alphabet="ab.=[]{}\"'#,\n\\ 1"))
def test_no_text_of_toml_signs_makes_it_raise(text: str) -> None:
    key_lines(text)


@given(st.text(alphabet="ab.=[]{}\"'#,\n\\ 1"))
def test_every_key_of_a_valid_document_is_found(text: str) -> None:
    try:
        document = tomllib.loads(text)
    except ValueError:
        return
    lines = key_lines(text)
    assert paths(document) <= lines.keys()


KEYS = st.text(alphabet="abcXYZ019_-", min_size=1, max_size=6)
VALUES = st.sampled_from(
    ["1", "true", '"x"', "'''a\nb'''", '"""\n[k]\n"""', "[\n1,\n2\n]", "{ k = 1 }", "1e3"]
)


@given(st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=4), max_size=4))
def test_simple_keys_are_found_where_they_were_written(tables: dict[str, dict[str, str]]) -> None:
    text = ""
    expected: dict[KeyPath, int] = {}
    for table, pairs in tables.items():
        expected[(table,)] = text.count("\n") + 1
        text += f"[{table}]\n"
        for key, value in pairs.items():
            expected[(table, key)] = text.count("\n") + 1
            text += f"{key} = {value} # note\n\n"
    found = key_lines(text)
    assert {path: found.get(path) for path in expected} == expected


def paths(value: object, prefix: KeyPath = ()) -> set[KeyPath]:
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    result: set[KeyPath] = set()
    for key, part in entries:
        result |= {(*prefix, key)} | paths(part, (*prefix, key))
    return result
