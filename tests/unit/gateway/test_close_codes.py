from __future__ import annotations

import pytest

from palaver.gateway.close_codes import (
    MAX_REASON_BYTES,
    BadClose,
    Close,
    close_payload,
    may_be_sent,
    parse_close,
)
from palaver.protocol.close_codes import CloseCode


def test_a_close_may_be_empty() -> None:
    assert parse_close(b"") == Close(1005, "")


def test_a_close_carries_code_and_reason() -> None:
    assert parse_close(close_payload(4502, "kicked – bye")) == Close(4502, "kicked – bye")


def test_every_code_of_ours_may_be_sent() -> None:
    assert all(may_be_sent(code) for code in CloseCode)


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535])
def test_a_code_that_may_not_be_sent_is_a_protocol_error(code: int) -> None:
    close = parse_close(code.to_bytes(2, "big"))
    assert isinstance(close, BadClose)
    assert close.code == 1002
    with pytest.raises(ValueError, match=r"§ 7\.4"):
        close_payload(code, "")


def test_half_a_code_is_a_protocol_error() -> None:
    close = parse_close(b"\x03")
    assert isinstance(close, BadClose)
    assert close.code == 1002


def test_a_reason_that_is_not_utf8_is_1007() -> None:
    close = parse_close(b"\x03\xe8\xff")
    assert isinstance(close, BadClose)
    assert close.code == 1007


def test_a_long_reason_is_cut_at_a_character() -> None:
    payload = close_payload(4001, "é" * 100)
    assert len(payload) - 2 == MAX_REASON_BYTES - 1
    assert payload[2:].decode() == "é" * 61
