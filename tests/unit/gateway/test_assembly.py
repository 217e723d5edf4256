from __future__ import annotations

import pytest

from palaver.gateway.assembly import Assembly, Failure
from palaver.gateway.frames import CONTINUATION
from palaver.protocol.frames import BINARY, TEXT

GENEROUS = {"max_bytes": 1000, "max_fragments": 100}


def test_fragments_become_the_message() -> None:
    assembly = Assembly()
    assert assembly.add(TEXT, False, b"a", **GENEROUS) is None
    assert assembly.add(CONTINUATION, False, b"", **GENEROUS) is None
    assert assembly.add(CONTINUATION, True, b"b", **GENEROUS) == b"ab"


def test_an_assembly_takes_one_message_after_another() -> None:
    assembly = Assembly()
    for _ in range(3):
        assert assembly.add(BINARY, False, b"\xff", **GENEROUS) is None
        assert assembly.add(CONTINUATION, True, b"\xfe", **GENEROUS) == b"\xff\xfe"


def test_a_character_may_be_split_over_fragments() -> None:
    assembly = Assembly()
    assert assembly.add(TEXT, False, b"\xe2", **GENEROUS) is None
    assert assembly.add(CONTINUATION, False, b"\x82", **GENEROUS) is None
    assert assembly.add(CONTINUATION, True, b"\xac", **GENEROUS) == "€".encode()


def failure_code(outcome: object) -> int:
    assert isinstance(outcome, Failure)
    return outcome.code


def test_continuation_of_nothing_is_a_protocol_error() -> None:
    assert failure_code(Assembly().add(CONTINUATION, True, b"a", **GENEROUS)) == 1002


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_new_message_inside_another_is_a_protocol_error(opcode: int) -> None:
    assembly = Assembly()
    assembly.add(TEXT, False, b"a", **GENEROUS)
    assert failure_code(assembly.add(opcode, True, b"b", **GENEROUS)) == 1002


@pytest.mark.parametrize("bad", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"])
def test_invalid_utf8_fails_at_the_first_bad_fragment(bad: bytes) -> None:
    assembly = Assembly()
    assert assembly.add(TEXT, False, b"good", **GENEROUS) is None
    assert failure_code(assembly.add(CONTINUATION, False, bad, **GENEROUS)) == 1007


def test_a_message_must_not_end_within_a_character() -> None:
    assembly = Assembly()
    assembly.add(TEXT, False, b"a", **GENEROUS)
    assert failure_code(assembly.add(CONTINUATION, True, b"\xc3", **GENEROUS)) == 1007


def test_fragments_do_not_bypass_the_message_limit() -> None:
    assembly = Assembly()
    assert assembly.add(TEXT, False, b"a" * 6, max_bytes=10, max_fragments=100) is None
    assert failure_code(assembly.add(CONTINUATION, False, b"a" * 5, max_bytes=10, max_fragments=100)) == 1009


def test_endless_empty_fragments_are_capped() -> None:
    assembly = Assembly()
    outcomes = [assembly.add(TEXT, False, b"", max_bytes=10, max_fragments=3)]
    outcomes += [assembly.add(CONTINUATION, False, b"", max_bytes=10, max_fragments=3) for _ in range(3)]
    assert outcomes[:3] == [None] * 3
    assert failure_code(outcomes[3]) == 1009
