"""What the native core raises. It imports these by name, so that one tree of exceptions holds them all."""

from __future__ import annotations

from palaver.errors import PalaverError


class CoreError(PalaverError, ValueError):
    """The root of what the native core raises. No state was changed."""


class ArgumentError(CoreError):
    """An argument breaks a rule, which the message names."""


class CapacityError(CoreError):
    """A structure is as full as it may get."""


class DecodeError(CoreError):
    """Bytes from outside do not have the form they should. The message names the rule."""


class SignatureError(CoreError):
    """Something is not signed by whom it says."""


class StoppedError(PalaverError, RuntimeError):
    """A node that has not been started, or has stopped, was asked for something. Nothing was changed."""
