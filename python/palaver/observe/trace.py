"""The W3C trace context of a request: who asked for it, in every log record that it causes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from structlog.contextvars import bound_contextvars

# Trace Context § 3.2: version, trace-id, parent-id, flags. A later version may have more behind them.
_TRACEPARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?", re.ASCII
)


@contextmanager
def traced(traceparent: str) -> Iterator[None]:
    """Log records made inside, and in tasks that are started inside, carry the field `traceparent`.

    One that is malformed is ignored, as § 3.2.2 wants it.
    """
    if _TRACEPARENT.fullmatch(traceparent) is None:
        yield
        return
    with bound_contextvars(traceparent=traceparent):
        yield
