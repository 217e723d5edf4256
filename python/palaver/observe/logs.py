"""Logs: structlog over the standard library, to stderr, without secrets and without floods.

`configure` sets up the whole process, for our own loggers and for those of libraries; it may be called again,
as on a reload. Every line passes three stages: RepeatFilter drops what was said often enough, `redact` takes out
what nobody may read and what would play tricks on a terminal, and a renderer writes it for people or as JSON.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, MutableMapping
from typing import Any, Final, TextIO

import structlog
from structlog.typing import Processor

from palaver.settings import LogSettings

REDACTED: Final = "[redacted]"
REPEATS: Final = 50
"""Equal events in one minute that are written; enough to see a pattern, and a line a second is not yet a flood."""
WINDOW_SECONDS: Final = 60.0
KNOWN_EVENTS: Final = 1024
"""Different events that are counted at once. Events are texts from our own source, so there are far fewer."""

# Libraries whose INFO is about single packets and requests.
_CHATTY: Final = ("aioice", "aiortc", "aiohttp.access", "asyncio")

# A token's id (token_id) and the size of an SDP (sdp_bytes) may be read: it is the last word that counts.
_SECRET_KEYS: Final = re.compile(
    r"(?:token|secret|password|passwd|authorization|cookie|credential|private_?key|ticket|sdp)s?$",
    re.IGNORECASE,
)
_SECRET_TEXTS: Final = re.compile(
    r"""(?P<keep>\bbearer[.\s]\s*)[^\s"',;]+
      | (?P<name>\b[\w-]*(?:token|secret|password|credential|ticket)["']?\s*[=:]\s*["']?)[^\s"'&,;}]+
      | \beyJ[\w-]+(?:\.[\w-]*){1,4}
      | \bv=0\r?\n.*""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
# C0 but tab and line feed, DEL, C1: what a terminal could take for an order.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_DEEPEST: Final = 6
_PROSE: Final = ("exception", "stack")  # the only fields that may have several lines


def configure(settings: LogSettings, stream: TextIO | None = None) -> None:
    """Sends all logs of the process to `stream` (stderr), instead of where an earlier call has sent them."""
    out = stream or sys.stderr
    console = settings.format == "console" or (settings.format == "auto" and out.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(
            colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
        )
        if console
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    handler = LogHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_extras, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                redact,
                _heads_first,
                renderer,
            ],
        )
    )
    handler.addFilter(RepeatFilter(handler.handle))
    root = logging.getLogger()
    for old in [one for one in root.handlers if isinstance(one, LogHandler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(settings.level.upper())
    quiet = logging.NOTSET if settings.level == "debug" else logging.WARNING
    for name in _CHATTY:
        logging.getLogger(name).setLevel(quiet)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # a reload must reach loggers that have been used
    )


class LogHandler(logging.StreamHandler[TextIO]):
    """The handler that `configure` puts on the root logger, and takes away again."""


def _extras(logger: logging.Logger, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """What the standard library's `extra=` gives, but not what another handler's formatter left in the record."""
    event = structlog.stdlib.ExtraAdder()(logger, method, event)
    for left in ("message", "asctime"):
        event.pop(left, None)
    return event


def _heads_first(logger: object, method: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    heads = ("timestamp", "level", "logger", "event")
    return {key: event[key] for key in heads if key in event} | dict(event)


def redact(logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: takes tokens, keys, SDPs and control characters out of every value."""
    for key, value in event.items():
        event[key] = _clean(key, value, 0)
    return event


def _clean(key: str, value: object, depth: int) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if _SECRET_KEYS.search(key):
        return REDACTED
    if depth > _DEEPEST:
        return "…"
    if isinstance(value, dict):
        return {clean_text(str(name)): _clean(str(name), part, depth + 1) for name, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(key, part, depth + 1) for part in value]
    return clean_text(value if isinstance(value, str) else repr(value), lines=key in _PROSE)


def clean_text(text: str, *, lines: bool = False) -> str:
    """The text without secrets, and with control characters (unless `lines`, line feeds and tabs too) written as escapes."""
    text = _SECRET_TEXTS.sub(lambda match: f"{match['keep'] or match['name'] or ''}{REDACTED}", text)
    text = _CONTROL.sub(lambda match: ascii(match[0])[1:-1], text)
    return text if lines else text.replace("\n", "\\n").replace("\t", "\\t")


class RepeatFilter(logging.Filter):
    """Lets the first REPEATS equal events a minute through, counts the rest, and says later how many there were.

    Events are equal if logger, level and message are, before values are put in. The count is said with the first
    record of any kind after the minute is over; a process that falls silent keeps it to itself. Debug is not
    limited.
    """

    def __init__(
        self,
        say: Callable[[logging.LogRecord], object],
        *,
        repeats: int = REPEATS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`say` writes a record; what it writes passes this filter again, and always gets through."""
        super().__init__()
        self._say = say
        self._repeats = repeats
        self._clock = clock
        self._lock = threading.Lock()
        # Ordered by when their minute began, so that the first is the first to be over.
        self._seen: OrderedDict[tuple[str, int, str], _Seen] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno <= logging.DEBUG or isinstance(record, _Summary):
            return True
        text = record.msg.get("event", "") if isinstance(record.msg, dict) else record.msg
        key = (record.name, record.levelno, str(text))
        with self._lock:
            summaries = self._over(self._clock())
            seen = self._seen.setdefault(key, _Seen(self._clock()))
            seen.count += 1
            passes = seen.count <= self._repeats
            while len(self._seen) > KNOWN_EVENTS:
                summaries += self._forget()
        for summary in summaries:
            self._say(summary)
        return passes

    def _over(self, now: float) -> list[logging.LogRecord]:
        summaries: list[logging.LogRecord] = []
        while self._seen and now - next(iter(self._seen.values())).since >= WINDOW_SECONDS:
            summaries += self._forget()
        return summaries

    def _forget(self) -> list[logging.LogRecord]:
        """Drops the oldest event; one record if there is something to say about it."""
        (name, level, text), seen = self._seen.popitem(last=False)
        more = seen.count - self._repeats
        if more <= 0:
            return []
        return [_Summary(name, level, "", 0, f"{text} … repeated {more} times", None, None)]


class _Summary(logging.LogRecord):
    """A record that tells how often another was repeated; it is itself never counted."""


class _Seen:
    def __init__(self, since: float) -> None:
        self.since = since
        self.count = 0
