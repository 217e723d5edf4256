"""Params and results of AuthHandler: authentication and token life cycle."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from palaver.protocol.types import IceServer, Name, Params, Result, Text, Token


class ClientInfo(Params):
    sdk: Text = ""
    version: Text = ""
    os: Text = ""


class Auth(Params):
    token: Token
    client: ClientInfo | None = None


class AuthResult(Result, omit_defaults=False):
    session: str
    identity: str
    name: str
    grants: dict[str, Any]
    expires_at: int
    server: dict[str, str]
    ping_ms: int
    grace_ms: int
    limits: dict[str, int]


class ValidateToken(Params):
    token: Token | None = None
    room: Name | None = None
    action: Literal["join", "publish", "subscribe", "publishData", "list", "admin", "diag", "chaos"] = "join"


class ValidateTokenResult(Result, omit_defaults=False):
    valid: bool
    claims: dict[str, Any] | None
    would_allow: bool
    why: Annotated[str | None, Meta(description="Why not; null where it would be allowed.")]


class RefreshToken(Params):
    token: Token | None = None


class RefreshTokenResult(Result):
    expires_at: int
    ice_servers: list[IceServer]
    token: str | None = None
