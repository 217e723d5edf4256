"""Logs tell no secrets, play no tricks on a terminal, and do not flood."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any, Literal

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from palaver.observe.logs import _CHATTY, REDACTED, LogHandler, RepeatFilter, clean_text, configure
from palaver.settings import LogSettings

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"


@pytest.fixture(autouse=True)
def _leave_logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.NOTSET)
    for handler in [one for one in root.handlers if isinstance(one, LogHandler)]:
        root.removeHandler(handler)
    structlog.reset_defaults()


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def log_to(level: Literal["debug", "info", "warning", "error"] = "info") -> io.StringIO:
    out = io.StringIO()
    configure(LogSettings(level=level, format="json"), out)
    return out


def test_both_kinds_of_logger_write_the_same_shape() -> None:
    out = log_to()
    structlog.get_logger("palaver.a").info("joined", room="demo")
    logging.getLogger("library").warning("slow: %d ms", 7, extra={"room": "demo"})
    ours, theirs = lines(out)
    assert list(ours) == ["timestamp", "level", "logger", "event", "room"]
    assert theirs.keys() == ours.keys()
    assert (theirs["level"], theirs["logger"], theirs["event"]) == ("warning", "library", "slow: 7 ms")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"got {JWT}, bad", f"got {REDACTED}, bad"),
        (f"protocols palaver.v1, bearer.{JWT}", f"protocols palaver.v1, bearer.{REDACTED}"),
        ("Authorization: Bearer abc", f"Authorization: Bearer {REDACTED}"),
        ("GET /v1?a=1&token=abc&b=2", f"GET /v1?a=1&token={REDACTED}&b=2"),
        ('{"token":"abc","x":1}', f'{{"token":"{REDACTED}","x":1}}'),
        ("a=ice-ufrag follows: v=0\r\na=ice-pwd:x\r\n", f"a=ice-ufrag follows: {REDACTED}"),
        ("the token has expired", "the token has expired"),
    ],
)
def test_what_looks_like_a_secret_is_taken_out_of_texts(text: str, expected: str) -> None:
    assert clean_text(text) == expected


@pytest.mark.parametrize("key", ["token", "secret", "password", "sdp", "accessToken", "turn_credential"])
def test_the_value_of_a_secret_key_is_taken_out(key: str) -> None:
    out = log_to()
    structlog.get_logger().info("x", **{key: "hush", "deep": {"list": [{key: "hush"}]}, f"{key}_bytes": 7})
    assert "hush" not in out.getvalue()
    assert lines(out)[0][f"{key}_bytes"] == 7


def test_a_secret_in_a_traceback_is_taken_out() -> None:
    out = log_to()
    try:
        raise ValueError(f"cannot read {JWT}")
    except ValueError:
        logging.getLogger("x").exception("failed")
    assert "ValueError: cannot read [redacted]" in lines(out)[0]["exception"]


@given(st.text())
def test_no_control_character_reaches_the_terminal(text: str) -> None:
    cleaned = clean_text(text)
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in cleaned)


def test_the_console_form_keeps_one_line_an_event() -> None:
    out = io.StringIO()
    configure(LogSettings(format="console"), out)
    structlog.get_logger("x").info("joined", name="a\x1b[31m\nfake line")
    assert len(out.getvalue().splitlines()) == 1
    assert "\x1b" not in out.getvalue()


def test_a_later_configure_takes_the_place_of_the_first() -> None:
    first = log_to()
    log = structlog.get_logger("palaver.a")
    log.info("one")
    second = log_to("error")
    log.info("two")
    log.error("three")
    assert [line["event"] for line in lines(first)] == ["one"]
    assert [line["event"] for line in lines(second)] == ["three"]


def test_equal_events_are_counted_and_the_count_is_said_after_the_minute() -> None:
    now = 0.0
    written: list[str] = []
    repeats = RepeatFilter(lambda record: written.append(record.getMessage()), repeats=2, clock=lambda: now)

    def emit(message: str, *args: object, level: int = logging.WARNING) -> None:
        record = logging.LogRecord("x", level, "", 0, message, args, None)
        if repeats.filter(record):
            written.append(record.getMessage())

    for number in range(5):
        emit("bad frame from %d", number)
    emit("other")
    assert written == ["bad frame from 0", "bad frame from 1", "other"]
    now = 61.0
    emit("bad frame from %d", 9)
    assert written[3:] == ["bad frame from %d … repeated 3 times", "bad frame from 9"]


def test_debug_is_not_limited() -> None:
    repeats = RepeatFilter(lambda record: None, repeats=1, clock=lambda: 0.0)
    record = logging.LogRecord("x", logging.DEBUG, "", 0, "again", (), None)
    assert all(repeats.filter(record) for _ in range(5))


def test_counting_is_bounded() -> None:
    said: list[logging.LogRecord] = []
    repeats = RepeatFilter(said.append, repeats=1, clock=lambda: 0.0)
    for number in range(5000):
        repeats.filter(logging.LogRecord("x", logging.INFO, "", 0, f"event {number}", (), None))
    assert len(repeats._seen) <= 1024
    assert said == []


def test_the_count_reaches_the_log_through_the_handler() -> None:
    out = log_to()
    handler = next(one for one in logging.getLogger().handlers if isinstance(one, LogHandler))
    (repeats,) = handler.filters
    assert isinstance(repeats, RepeatFilter)
    now = 0.0
    repeats._clock = lambda: now
    for _ in range(60):
        logging.getLogger("x").warning("same")
    now = 61.0
    logging.getLogger("x").warning("else")
    assert lines(out)[50].keys() == {"timestamp", "level", "logger", "event"}
    events = [line["event"] for line in lines(out)]
    assert events == ["same"] * 50 + ["same … repeated 10 times", "else"]
