"""The tables of docs/protocol.md, generated from the Structs so that they stay true."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
from msgspec import inspect

from palaver.protocol.errors import REASONS
from palaver.protocol.methods.table import METHODS
from palaver.protocol.schema import events


def tables() -> str:
    """Markdown: methods, events, errors."""
    methods = [
        "| method | params | result | what it does |",
        "|---|---|---|---|",
        *(
            f"| **{name}** | {_fields(method.params)} | {_results(method.result)} | {method.summary} |"
            for name, method in METHODS.items()
        ),
    ]
    told = [
        "| event | fields after epoch, seq, prev |",
        "|---|---|",
        *(f"| **{name}** | {_fields(event)} |" for name, event in events().items()),
    ]
    errors = [
        "| code | reason | retry | message |",
        "|---|---|---|---|",
        *(f"| {code} | {reason} | {retry} | {text} |" for reason, (code, retry, text) in REASONS.items()),
    ]
    return "\n".join(
        ["### Methods", "", *methods, "", "### Events", "", *told, "", "### Errors", "", *errors]
    )


def _results(result: Any) -> str:
    return " or ".join(_fields(each) for each in get_args(result) or (result,))


def _fields(struct: Any) -> str:
    """The fields of a Struct as they stand on the wire; a question mark follows what may be left out."""
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType), "params, results and events are Structs"
    may_be_left_out = issubclass(struct, msgspec.Struct) and struct.__struct_config__.omit_defaults
    words = [
        field.encode_name + ("" if field.required or not may_be_left_out else "?") for field in info.fields
    ]
    return f"`{{{', '.join(words)}}}`"
