"""The settings tree as data: one Setting for each field. The loader and the documents are made from it."""

from __future__ import annotations

import functools
from typing import Any

import msgspec
from msgspec import Struct, inspect

from palaver.settings.tree import Settings

ENV_PREFIX = "PALAVER_"


class Setting(Struct, frozen=True):
    """One field of the tree."""

    group: str
    name: str
    rule: str
    """What a value must be, as a phrase: "an integer from 0 to 65535"."""
    default: Any
    description: str
    secret: bool
    """Its value is never printed."""
    kind: inspect.Type
    owner: type[Struct]
    """The Struct of the group; converting `{name: value}` to it checks a value."""

    @property
    def path(self) -> str:
        return f"{self.group}.{self.name}"

    @property
    def env(self) -> str:
        return f"{ENV_PREFIX}{self.group.upper()}__{self.name.upper()}"

    @property
    def is_table(self) -> bool:
        return isinstance(self.kind, inspect.DictType)

    @property
    def is_list(self) -> bool:
        return isinstance(self.kind, inspect.VarTupleType)

    @property
    def is_text(self) -> bool:
        return isinstance(self.kind, inspect.StrType | inspect.LiteralType)


@functools.cache
def all_settings() -> tuple[Setting, ...]:
    """Every setting, in the order of the tree."""
    defaults = msgspec.json.decode(
        msgspec.json.encode(Settings())
    )  # as TOML and JSON have it: lists, not tuples
    settings = []
    for group in _struct(inspect.type_info(Settings)).fields:
        owner = _struct(group.type)
        for field in owner.fields:
            outer = field.type
            schema, extra = {}, {}
            if isinstance(outer, inspect.Metadata):
                schema, extra = outer.extra_json_schema or {}, outer.extra or {}
            settings.append(
                Setting(
                    group=group.name,
                    name=field.name,
                    rule=_rule(_bare(outer)),
                    default=defaults[group.name][field.name],
                    description=schema.get("description", ""),
                    secret=bool(extra.get("secret")),
                    kind=_bare(outer),
                    owner=owner.cls,
                )
            )
    return tuple(settings)


def _struct(kind: inspect.Type) -> inspect.StructType:
    bare = _bare(kind)
    assert isinstance(bare, inspect.StructType), "the tree has two levels: groups, and fields in them"
    return bare


def _bare(kind: inspect.Type) -> inspect.Type:
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    return kind


def _rule(kind: inspect.Type) -> str:
    match kind:
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return f"an integer{_range(kind)}"
        case inspect.FloatType():
            return f"a number{_range(kind)}"
        case inspect.StrType():
            return "a string"
        case inspect.LiteralType():
            return "one of " + ", ".join(map(str, kind.values))
        case inspect.VarTupleType():
            return "a list of strings"
        case inspect.DictType():
            return "a table of strings"
    raise AssertionError(f"the tree uses a type that has no words here yet: {kind}")


def _range(kind: inspect.IntType | inspect.FloatType) -> str:
    words = ""
    if kind.ge is not None:
        words += f" from {_plain(kind.ge)}"
    if kind.gt is not None:
        words += f" above {_plain(kind.gt)}"
    if kind.le is not None:
        words += f" to {_plain(kind.le)}" if kind.ge is not None else f", at most {_plain(kind.le)}"
    return words


def _plain(number: float) -> str:
    return str(int(number) if number == int(number) else number)
