"""Params and results of AuthHandler: authentication and token life cycle."""

from __future__ import annotations

from typing import Any

from palaver.protocol.types import (
    Params,
    Result,
    Text,
    Token,
)


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
