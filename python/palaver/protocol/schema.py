"""The protocol as a machine reads it: an OpenRPC document, generated from the Structs that the node itself decodes with."""

from __future__ import annotations

from typing import Any, Final, get_args

import msgspec

from palaver.protocol.close_codes import CloseCode
from palaver.protocol.errors import REASONS
from palaver.protocol.events import Event
from palaver.protocol.methods.table import METHODS

OPENRPC: Final = "1.3.2"
_REF: Final = "#/components/schemas/{name}"


def events() -> dict[str, type[Event]]:
    """Every event by its name on the wire."""
    return {each.method: each for each in Event.__subclasses__()}


def openrpc(version: str) -> dict[str, Any]:
    """The OpenRPC document. Events stand under `x-events`, wire errors under `x-errors`, close codes under `x-closeCodes`."""
    told = events()
    structs = {each for method in METHODS.values() for each in (method.params, *_alternatives(method.result))}
    ordered = sorted(structs, key=lambda each: each.__name__)
    _, components = msgspec.json.schema_components([*ordered, *told.values()], ref_template=_REF)
    components = portable(components)
    return {
        "openrpc": OPENRPC,
        "info": {"title": "Palaver client protocol", "version": version, "license": {"name": "Apache-2.0"}},
        "methods": [
            {
                "name": name,
                "summary": method.summary,
                "tags": [{"name": method.handler}],
                "paramStructure": "by-name",
                "params": _descriptors(components[method.params.__name__]),
                "result": {"name": "result", "schema": _result(method.result)},
            }
            for name, method in METHODS.items()
        ],
        "components": {"schemas": components},
        "x-events": {
            name: {"params": _reference(event), "head": ["epoch", "seq", "prev"]}
            for name, event in told.items()
        },
        "x-errors": {
            reason: {"code": code, "retry": retry, "message": message}
            for reason, (code, retry, message) in REASONS.items()
        },
        "x-closeCodes": {code.name.lower(): code.value for code in CloseCode},
    }


def _alternatives(result: Any) -> tuple[Any, ...]:
    return get_args(result) or (result,)


def _reference(struct: Any) -> dict[str, Any]:
    return {"$ref": _REF.format(name=struct.__name__)}


def _result(result: Any) -> dict[str, Any]:
    references = [_reference(each) for each in _alternatives(result)]
    return references[0] if len(references) == 1 else {"oneOf": references}


def _descriptors(struct: dict[str, Any]) -> list[dict[str, Any]]:
    """The fields of a params Struct as OpenRPC content descriptors, required ones first."""
    required = set(struct.get("required", ()))
    fields = [
        {"name": name, "required": name in required, "schema": field}
        for name, field in struct["properties"].items()
    ]
    return sorted(fields, key=lambda field: not field["required"])


def portable(value: Any) -> Any:
    """Python's regular expressions in the words of ECMA-262, which JSON Schema uses: its $ is our \\Z."""
    if isinstance(value, dict):
        return {key: portable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [portable(each) for each in value]
    return value.replace("\\Z", "$") if isinstance(value, str) else value
