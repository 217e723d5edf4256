"""Names as the protocol wants them (protocol § 1)."""

from __future__ import annotations

import unicodedata

import msgspec
import typer

from palaver.protocol.text import fault_of
from palaver.protocol.types import Name


def protocol_name(option: str, text: str) -> str:
    """The text in NFC; a terminal may well have sent NFD. Raises BadParameter for the option."""
    message = "must be 1 to 128 characters, without control characters"
    text = unicodedata.normalize("NFC", text)
    if fault_of(text) is not None:
        raise typer.BadParameter(message, param_hint=option)
    try:
        return msgspec.convert(text, Name)
    except msgspec.ValidationError:
        raise typer.BadParameter(message, param_hint=option) from None
