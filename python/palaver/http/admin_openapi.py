"""The admin API as an OpenAPI 3.1 document, generated from the Structs that requests are decoded with."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from palaver.http.admin_shapes import ErrorReply, OpenApi
from palaver.protocol.errors import REASONS
from palaver.protocol.schema import portable

if TYPE_CHECKING:
    from palaver.http.operation import Operation

_REF: Final = "#/components/schemas/{name}"

STATUS: Final[dict[str, int]] = {
    **dict.fromkeys(REASONS, 400),
    "internal": 500,
    "unauthenticated": 401,
    "token_invalid": 401,
    "forbidden": 403,
    "not_found": 404,
    "method_not_found": 405,
    "wrong_state": 409,
    "conflict": 409,
    "too_large": 413,
    "codec_unsupported": 415,
    "rate_limited": 429,
    "unavailable": 503,
    "node_draining": 503,
    "timeout": 408,
}
"""HTTP status of a wire error's reason (RFC 9110 § 15)."""


def openapi(operations: Iterable[Operation], version: str) -> OpenApi:
    operations = tuple(operations)
    kinds = {ErrorReply, *(each.result for each in operations), *(each.body for each in operations)}
    structs = sorted((each for each in kinds if _is_struct(each)), key=lambda each: each.__name__)
    _, components = msgspec.json.schema_components(structs, ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Palaver admin API", "version": version, "license": {"name": "Apache-2.0"}},
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": portable(components),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "responses": {"Error": _json({"$ref": _REF.format(name="ErrorReply")}, "Refused; nothing changed.")},
        },
    }  # fmt: skip


def _operation(each: Operation) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": each.id,
        "summary": each.summary,
        "parameters": [*_path_parameters(each.path), *_query_parameters(each.query)],
        "responses": {
            str(each.status): _json(_schema(each.result), each.summary),
            **{str(status): {"$ref": "#/components/responses/Error"} for status in _statuses(each)},
        },
    }
    if each.body is not None:
        told["requestBody"] = {
            "required": each.body_required,
            "content": {"application/json": {"schema": _schema(each.body)}},
        }
    return told


def _statuses(each: Operation) -> list[int]:
    """The refusals that this operation can give; 307 names the worker that has the room."""
    statuses = {400, 401}
    if "{" in each.path:
        statuses.add(404)
    if "{room}" in each.path:
        statuses.add(307)
    if each.body is not None:
        statuses |= {408, 409, 413, 415}
    if each.body is not None or each.method == "DELETE":
        statuses.add(503)
    return sorted(statuses)


def _path_parameters(path: str) -> list[dict[str, Any]]:
    schema = {"type": "string", "minLength": 1}
    return [
        {"name": name, "in": "path", "required": True, "schema": schema}
        for name in re.findall(r"{(\w+)}", path)
    ]


def _query_parameters(query: type[msgspec.Struct]) -> list[dict[str, Any]]:
    (_,), components = msgspec.json.schema_components([query], ref_template=_REF)
    fields = portable(components[query.__name__])["properties"]
    return [
        {"name": name, "in": "query", "required": False, "schema": schema} for name, schema in fields.items()
    ]


def _schema(kind: Any) -> dict[str, Any]:
    return {"$ref": _REF.format(name=kind.__name__)} if _is_struct(kind) else {"type": "object"}


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _json(schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
