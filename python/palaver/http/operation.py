"""Operation: one row of the admin API, and the request that its verb is given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

from msgspec import Struct

from palaver.http.admin_shapes import Query
from palaver.protocol.types import Params


class Call(Struct, frozen=True):
    """One request, decoded: path parameters, query and body as the operation declares them."""

    path: Mapping[str, str]
    query: Any
    body: Any


class Operation(Struct, frozen=True):
    """One row of the API. Its errors are ProtocolErrors, as on the wire."""

    method: Literal["GET", "POST", "DELETE"]
    path: str
    id: str
    summary: str
    verb: Callable[[Call], Any | Awaitable[Any]]
    result: Any
    query: type[Query] = Query
    body: type[Params] | None = None
    body_required: bool = False
    status: int = 200
