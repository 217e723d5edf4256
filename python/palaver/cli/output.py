"""How commands print: data on stdout, words about it on stderr."""

from __future__ import annotations

import json
import sys
from typing import Any

# What a command ends with, beside 0.
FAILED = 1
USAGE = 2


def say(text: str) -> None:
    """Prints a text as it is, at once: a pipe's reader need not wait for a buffer to fill."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")
    sys.stdout.flush()


def say_json(value: Any) -> None:
    """Prints a value as one line of JSON."""
    say(json.dumps(value, ensure_ascii=False))


def complain(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
