"""Names as the protocol wants them (protocol § 1)."""

from __future__ import annotations

import unicodedata

import msgspec
import typer

from palaver.protocol.types import Name


def protocol_name(option: str, text: str) -> str:
    """The text in NFC; a terminal may well have sent NFD. Raises BadParameter for the option."""
    try:
        return msgspec.convert(unicodedata.normalize("NFC", text), Name)
    except msgspec.ValidationError:
        message = "must be 1 to 128 characters, without control characters"
        raise typer.BadParameter(message, param_hint=option) from None
