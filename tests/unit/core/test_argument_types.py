"""Every argument of every public class and function: one of another type is refused with a rule, and nothing was changed.

What there is to call is read from the manual, so what is added to it is held to the same.
"""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

import pytest

import palaver.core
from palaver.core import CoreError, _native

MANUAL = ast.parse(Path(_native.__file__).with_name("_native.pyi").read_text())

HOT = {
    "LoadRun",
    "LogTail",
    "Outbox",
    "Outboxes",
    "RateLimit",
    "RelayRun",
    "first_bad_sdp_line",
    "is_sound_sdp",
    "json_shape",
    "read_relays",
    "take_messages",
}
"""Parts of the server and its benchmark, which call them with values of their own: these keep PyO3's errors."""

ANYTHING = {"object", "Any"}


class Stranger:
    """Of a type that nothing takes."""


class Argument(NamedTuple):
    """One parameter of one call; an owner has it as a method."""

    owner: str
    call: ast.FunctionDef
    name: str
    annotation: ast.expr

    def __str__(self) -> str:
        return f"{self.owner}.{self.call.name}({self.name})".removeprefix(".")


def parameters(call: ast.FunctionDef) -> dict[str, ast.expr]:
    """Those that take something of their own: neither self nor what is ignored, which has no annotation or an underscore."""
    assert not call.args.vararg
    given = [*call.args.posonlyargs, *call.args.args, *call.args.kwonlyargs]
    return {one.arg: one.annotation for one in given if one.annotation and not one.arg.startswith("_")}


def kind_of(annotation: ast.expr) -> str:
    """The first of the types that may be given."""
    return ast.unparse(annotation).partition(" | ")[0]


def required(call: ast.FunctionDef) -> set[str]:
    by_place = [one.arg for one in (*call.args.posonlyargs, *call.args.args)]
    by_place = by_place[: len(by_place) - len(call.args.defaults)]
    by_name = zip(call.args.kwonlyargs, call.args.kw_defaults, strict=True)
    return {*by_place, *(one.arg for one, default in by_name if default is None)} & parameters(call).keys()


def public() -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in MANUAL.body:
        if isinstance(node, ast.FunctionDef) and node.name not in HOT:
            yield "", node
        if isinstance(node, ast.ClassDef) and node.name not in HOT:
            yield from ((node.name, call) for call in node.body if isinstance(call, ast.FunctionDef))


ARGUMENTS = [
    Argument(owner, call, name, annotation)
    for owner, call in public()
    for name, annotation in parameters(call).items()
    if ast.unparse(annotation) not in ANYTHING
]
FLOATS = [one for one in ARGUMENTS if kind_of(one.annotation) == "float"]


def good(annotation: ast.expr, tmp_path: Path) -> Any:
    """A value that an annotation allows."""
    match kind_of(annotation):
        case "str" if "PathLike" in ast.unparse(annotation):
            return Path(mkdtemp(dir=tmp_path)) / "new"
        case "str":
            return "127.0.0.1:1"  # an address, and a name
        case "bytes":
            return bytes(32)
        case "int" | "float":
            return 1
        case kind if kind.startswith("Iterable"):
            return ["one"]
        case kind if kind.startswith("Sequence"):
            return []
        case kind if kind == "Members" or kind.startswith("dict"):
            return {}
        case kind:
            return made(kind, tmp_path)


def made(owner: str, tmp_path: Path) -> Any:
    for kind, call in public():
        if (kind, call.name) == (owner, "__new__"):
            arguments = {name: good(parameters(call)[name], tmp_path) for name in required(call)}
            return getattr(palaver.core, owner)(**arguments)
    raise AssertionError(f"the manual has no {owner}() with arguments to make one")


def called(argument: Argument, value: Any, tmp_path: Path) -> Callable[[], object]:
    """The call with this value, and good ones for what it cannot go without."""
    owner, call, name, _ = argument
    wanted = parameters(call)
    given = {other: good(wanted[other], tmp_path) for other in required(call)} | {name: value}
    by_place = [given.pop(one.arg) for one in call.args.posonlyargs if one.arg in given]
    if call.name == "__new__" or not owner:
        return lambda: getattr(palaver.core, owner or call.name)(*by_place, **given)
    if any(ast.unparse(one) == "staticmethod" for one in call.decorator_list):
        return lambda: getattr(getattr(palaver.core, owner), call.name)(*by_place, **given)
    subject = made(owner, tmp_path)
    if any(ast.unparse(one).endswith(".setter") for one in call.decorator_list):
        return lambda: setattr(subject, call.name, value)
    return lambda: getattr(subject, call.name)(*by_place, **given)


def strangers(annotation: ast.expr) -> Iterator[Any]:
    """A stranger in each place where there could be one: itself, in a list, in a dict, in a row of one."""
    yield Stranger()
    match kind_of(annotation):
        case kind if kind.startswith("Sequence["):
            yield [Stranger()]
        case "Members":
            yield from ({Stranger(): (0, "alive", 0.0)}, {"a": Stranger()})
            for row in ((Stranger(), "alive", 0.0), (0, Stranger(), 0.0), (0, "alive", Stranger())):
                yield {"a": row}
        case kind if kind.startswith("dict["):
            yield from ({Stranger(): 1}, {"max_members": Stranger()}, {"probe_interval": Stranger()})


@pytest.mark.parametrize("argument", ARGUMENTS, ids=str)
def test_a_value_of_another_type_breaks_a_rule_that_is_told(argument: Argument, tmp_path: Path) -> None:
    for value in strangers(argument.annotation):
        call = called(argument, value, tmp_path)
        with pytest.raises(TypeError) as raised:
            call()
        assert re.fullmatch(r".+, not Stranger; nothing was changed", str(raised.value))


@pytest.mark.parametrize("argument", FLOATS, ids=str)
def test_a_number_that_no_float_can_hold_is_no_overflow(argument: Argument, tmp_path: Path) -> None:
    for value in (10**400, -(10**400)):
        try:
            called(argument, value, tmp_path)()
        except CoreError as error:
            assert str(error).endswith("; nothing was changed")


def test_what_is_left_out_is_there() -> None:
    assert set(palaver.core.__all__) >= HOT
