"""The rule for text (protocol § 1): Unicode normalization form C, because twins that look alike would be two names,
and no control characters.

One walk over what was decoded holds it, not a pattern per field: a pattern costs 0.5 to 0.9 µs for each string.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any, Final

import msgspec
import msgspec.inspect
from msgspec import Struct, UnsetType

# C0, DEL, C1, and the separators of lines and paragraphs.
_CONTROL: Final = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029]")
FREE: Final = frozenset({"sdp", "token", "pad"})
"""Fields that are no names: they are left as they came."""
_NO_TEXT: Final = frozenset({int, float, bool, type(None), UnsetType})


def fault_of(text: str) -> str | None:
    """The rule that a name or a line of text breaks; None for a good one."""
    if text.isascii() and text.isprintable():
        return None
    if _CONTROL.search(text) is not None:
        return "text must have no control characters"
    return _fault_below(text)


def is_clean(value: Any) -> bool:
    """Whether all text in a decoded value keeps the rule. Values of an object may have several lines, its keys not."""
    fields = _FIELDS.get(type(value))
    if fields is not None:
        for field in fields(value):
            if field.__class__ is str:
                if not (field.isascii() and field.isprintable()) and fault_of(field) is not None:
                    return False
            elif field.__class__ not in _NO_TEXT and not is_clean(field):
                return False
        return True
    if isinstance(value, str):
        return fault_of(value) is None
    if isinstance(value, list):
        return all(map(is_clean, value))
    if isinstance(value, dict):
        return all(map(is_clean, value)) and all(map(_is_clean_below, value.values()))
    if isinstance(value, Struct):
        _FIELDS[type(value)] = _fields_of(type(value))
        return is_clean(value)
    return True


def _fields_of(kind: type[Struct]) -> Callable[[Struct], tuple[Any, ...]]:
    """What gets the values of a Struct's fields that may be text and are held to the rule, all at once."""
    info = msgspec.inspect.type_info(kind)
    assert isinstance(info, msgspec.inspect.StructType)
    names = [each.name for each in info.fields if each.name not in FREE and _may_be_text(each.type)]
    if len(names) < 2:  # attrgetter gives a tuple for two and more
        return lambda value: tuple(getattr(value, each) for each in names)
    return attrgetter(*names)


def _may_be_text(kind: msgspec.inspect.Type) -> bool:
    """Whether a field of this type may hold text of the sender's own choice."""
    if isinstance(kind, msgspec.inspect.UnionType):
        return any(map(_may_be_text, kind.types))
    return not isinstance(kind, _WORDLESS)


_WORDLESS: Final = (
    msgspec.inspect.IntType,
    msgspec.inspect.FloatType,
    msgspec.inspect.BoolType,
    msgspec.inspect.NoneType,
    msgspec.inspect.LiteralType,
    msgspec.inspect.RawType,
)
_FIELDS: Final[dict[type[Struct], Callable[[Struct], tuple[Any, ...]]]] = {}


def find_fault(value: Any) -> tuple[str, str]:
    """What is wrong with a value that is not clean: JSON path and rule."""
    return next((path, rule) for path, rule in _faults(value, "$") if rule is not None)


def _fault_below(text: str) -> str | None:
    return None if unicodedata.is_normalized("NFC", text) else "text must be in Unicode NFC"


def _is_clean_below(value: Any) -> bool:
    if type(value) is str:
        return value.isascii() or _fault_below(value) is None
    return is_clean(value)


def _faults(value: Any, path: str) -> Iterator[tuple[str, str | None]]:
    if isinstance(value, str):
        yield path, fault_of(value)
    elif isinstance(value, Struct):
        names = zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
        for attribute, name in names:
            if attribute not in FREE:
                yield from _faults(getattr(value, attribute), f"{path}.{name}")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield path, fault_of(key)
            if isinstance(item, str):
                yield f"{path}.{key}", _fault_below(item)
            else:
                yield from _faults(item, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _faults(item, f"{path}[{index}]")
