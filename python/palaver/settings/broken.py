"""Broken: a rule between settings that does not hold."""

from __future__ import annotations

from typing import NamedTuple


class Broken(NamedTuple):
    """A rule that does not hold, and the settings that it is about; the first is the one to change."""

    paths: tuple[str, ...]
    message: str
