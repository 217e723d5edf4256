"""The admin API over HTTP: bearer, bounded and strict requests, errors in the words of the wire."""

from __future__ import annotations

import asyncio
import hmac
import inspect
import logging
import secrets
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Raw

from palaver.http.admin import AdminApi
from palaver.http.admin_openapi import STATUS
from palaver.http.admin_shapes import Query
from palaver.http.operation import Call, Operation
from palaver.http.pages import host_asked
from palaver.protocol.codec import JSON, split_path
from palaver.protocol.errors import ProtocolError
from palaver.protocol.text import fault_of

if TYPE_CHECKING:
    from aiohttp import web

    from palaver.http.side_port import Handler

log = logging.getLogger(__name__)

BODY_BYTES: Final = 256 * 1024
"""As a message on the wire: a lock with the longest list of guests fits."""
BODY_SECONDS: Final = 10.0
PREFIX: Final = "/v1/"


class AdminWeb:
    """Serves an AdminApi to whoever shows the token. Put `routes` and `guard` into the application."""

    def __init__(self, api: AdminApi, token: str) -> None:
        """`token` must not be empty; settings see to its length."""
        assert token, "without a token the API stays off"
        self._api = api
        self._token = token.encode()

    def routes(self) -> list[tuple[str, str, Handler]]:
        """(method, path, handler) of each operation."""
        return [(each.method, each.path, self._serve(each)) for each in self._api.operations]

    def guard(self) -> Any:
        """A middleware: what is not found under the prefix is said in JSON too, and to nobody without the token."""
        from aiohttp import web

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not request.path.startswith(PREFIX):
                return await handler(request)
            try:
                return await handler(request)
            except web.HTTPMethodNotAllowed as refused:
                error = ProtocolError("method_not_found", "this path does not take that method")
                headers = {"Allow": refused.headers["Allow"]}
            except web.HTTPNotFound:
                error, headers = ProtocolError("not_found"), {}
            try:
                self._authenticate(request)
            except ProtocolError as bad:
                return _refusal(bad)
            return _refusal(error, headers)

        return guard

    def _serve(self, operation: Operation) -> Handler:

        async def serve(request: web.Request) -> web.StreamResponse:
            try:
                self._authenticate(request)
                room = request.match_info.get("room")
                if room is not None and (port := self._api.elsewhere(room)) is not None:
                    return _redirection(request, port)
                query = _query(operation.query, request)
                body = await _body(operation, request)
                result: Any = operation.verb(Call(dict(request.match_info), query, body))
                if inspect.isawaitable(result):
                    result = await result
            except ProtocolError as error:
                return _refusal(error)
            except Exception:
                reference = secrets.token_hex(9)
                log.exception("an admin request failed", extra={"operation": operation.id, "ref": reference})
                return _refusal(ProtocolError("internal", ref=reference))
            finally:
                self._api.settle()
            if operation.method != "GET":
                log.info("administered", extra={"operation": operation.id, **request.match_info})
            return _json(result, operation.status)

        return serve

    def _authenticate(self, request: web.Request) -> None:
        """Raises ProtocolError unauthenticated or token_invalid."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise ProtocolError("unauthenticated", "send the admin token as Authorization: Bearer …")
        if not hmac.compare_digest(token.strip().encode("utf-8", "surrogateescape"), self._token):
            raise ProtocolError("token_invalid", "this is not the admin token")


def _query(kind: type[Query], request: web.Request) -> Query:
    values = dict(request.query)
    if len(values) != len(request.query):
        raise ProtocolError("invalid_params", "a query parameter is there twice")
    for name, value in values.items():
        if (rule := fault_of(value)) is not None:
            raise ProtocolError("invalid_params", rule, path=f"$.{name}")
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        message, path = split_path(str(error))
        raise ProtocolError("invalid_params", message, path=path) from None


async def _body(operation: Operation, request: web.Request) -> Any:
    """The decoded body. Raises ProtocolError too_large, timeout, codec_unsupported or invalid_params."""
    data = await _read(request)
    if operation.body is None:
        if data:
            raise ProtocolError("invalid_params", f"{operation.id} takes no body")
        return None
    if data and request.content_type != "application/json":
        raise ProtocolError("codec_unsupported", "the body must be application/json")
    if not data and operation.body_required:
        raise ProtocolError("invalid_params", f"{operation.id} needs a body", path="$")
    if data.strip() == b"null":
        raise ProtocolError("invalid_params", "Expected `object`, got `null`", path="$")
    return JSON.params_of(Raw(data), operation.body)


async def _read(request: web.Request) -> bytes:
    data = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.content.iter_chunked(16 * 1024):
                data += chunk
                if len(data) > BODY_BYTES:
                    raise ProtocolError("too_large", f"a body has at most {BODY_BYTES} bytes")
    except TimeoutError:
        raise ProtocolError("timeout", "the body did not come in time") from None
    return bytes(data)


def _redirection(request: web.Request, port: int) -> web.Response:
    """To the same path at the side port of the worker that has the room, in the words of the wire as well."""
    host = host_asked(request.headers.get("Host", ""))
    if host is None:
        raise ProtocolError(
            "not_found", f"if there is such a room, it is at the worker with side port {port}"
        )
    url = f"http://{host}:{port}{request.path_qs}"
    error = ProtocolError("not_found", f"if there is such a room, it is at {url}", retry="elsewhere", url=url)
    return _json({"error": error.body()}, 307, {"Location": url})


def _refusal(error: ProtocolError, headers: dict[str, str] | None = None) -> web.Response:
    headers = headers or {}
    status = STATUS[error.reason]
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return _json({"error": error.body()}, status, headers)


def _json(value: Any, status: int, headers: dict[str, str] | None = None) -> web.Response:
    from aiohttp import web

    body = msgspec.json.encode(value)
    return web.Response(body=body, status=status, content_type="application/json", headers=headers)
