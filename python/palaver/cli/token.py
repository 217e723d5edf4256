from __future__ import annotations

import os
from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from palaver.cli.options import Config, Json, StateDir, Verbose
from palaver.cli.output import say, say_json

if TYPE_CHECKING:
    from palaver.settings import AuthSettings


class RoleName(StrEnum):
    owner = "owner"
    moderator = "moderator"
    presenter = "presenter"
    participant = "participant"
    observer = "observer"


def token(
    room: Annotated[str, typer.Option(help="The room that the token is for.")],
    identity: Annotated[str, typer.Option(help="Who joins with it.")],
    role: Annotated[RoleName, typer.Option(help="What the holder is in the room.")] = RoleName.participant,
    name: Annotated[str | None, typer.Option(help="The name that others see.")] = None,
    ttl: Annotated[str, typer.Option(help="How long it is valid: 3600, 15m, 1h, 1h30m.")] = "1h",
    grant: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A further grant, as canPublish=false. Repeatable."),
    ] = None,
    key: Annotated[str | None, typer.Option(metavar="ID", help="Which key of auth.keys signs.")] = None,
    config: Config = None,
    state_dir: StateDir = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Mint a token that lets somebody join a room.

    Without --config it is signed with the development key of the state directory, which a running
    `palaver dev` accepts; the key is made if there is none.

    \b
    Examples:
      palaver token --room demo --identity alice
      palaver token --room demo --identity bob --role observer --ttl 15m --json
      palaver token --room demo --identity cam --grant canPublishSources=camera,screen
    """
    import time

    from msgspec.structs import replace

    from palaver import settings as all_settings
    from palaver.cli.names import protocol_name
    from palaver.signaling.tokens import mint

    environ = os.environ
    settings = all_settings.load(config, environ=environ, dev=config is None, files=False)
    auth = settings.auth
    if config is None:
        directory = all_settings.state_dir(state_dir, environ=environ, settings=settings)
        key_id, secret = all_settings.dev_keys(directory)
        auth = replace(auth, keys={**auth.keys, key_id: secret})
        key = key or key_id
    key_id, secret = signing_key(auth, key)
    now = time.time()
    minted = mint(
        key_id,
        secret,
        identity=protocol_name("--identity", identity),
        room=protocol_name("--room", room),
        role=role.value,
        name=None if name is None else protocol_name("--name", name),
        ttl_seconds=_ttl(ttl, auth.max_ttl_seconds),
        grants=_grants(grant or ()),
        audience=auth.audience or None,
        now=now,
    )
    claims = _verified(minted, auth, now)
    if json:
        say_json(
            {
                "token": minted,
                "identity": claims.identity,
                "room": claims.grants.room,
                "role": claims.role,
                "expiresAt": int(claims.expires_at),
            }
        )
    else:
        say(minted)


def signing_key(auth: AuthSettings, wanted: str | None) -> tuple[str, str]:
    from palaver.settings.rules import is_pem

    signing = {key_id: secret for key_id, secret in auth.keys.items() if not is_pem(secret)}
    if wanted is None and len(signing) == 1:
        return next(iter(signing.items()))
    if wanted in signing:
        return wanted, signing[wanted]
    if wanted in auth.keys:
        raise typer.BadParameter(f"{wanted} is a public key, which cannot sign", param_hint="--key")
    if not signing:
        raise typer.BadParameter("auth.keys holds no secret to sign with", param_hint="--config")
    what = f"there is no key {wanted}" if wanted else "there are several keys"
    raise typer.BadParameter(f"{what}; choose one of {', '.join(signing)}", param_hint="--key")


def _ttl(text: str, longest: float) -> int:
    from palaver.cli.duration import seconds

    try:
        ttl = int(seconds(text))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--ttl") from None
    if not 0 < ttl <= longest:
        raise typer.BadParameter(
            f"must be above 0 and at most auth.max_ttl_seconds, {longest:g} s", param_hint="--ttl"
        )
    return ttl


def _grants(texts: Iterable[str]) -> dict[str, Any]:
    import difflib
    import json

    from msgspec.structs import fields

    from palaver.rooms.role import Grants

    known = {field.encode_name for field in fields(Grants)} - {"room"}
    grants: dict[str, Any] = {}
    for text in texts:
        name, found, value = text.partition("=")
        if name not in known or not found:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near and near[0] != name else "it must be NAME=VALUE"
            names = ", ".join(sorted(known))
            raise typer.BadParameter(f"{text!r}: {hint} (names: {names})", param_hint="--grant")
        if name == "canPublishSources":
            grants[name] = value.split(",") if value else []
            continue
        try:
            grants[name] = json.loads(value)
        except (ValueError, RecursionError):
            raise typer.BadParameter(f"{text!r}: must be true or false", param_hint="--grant") from None
    return grants


def _verified(minted: str, auth: AuthSettings, now: float) -> Any:
    """The token's claims as the node would read them: a token that it would refuse is not handed out."""
    from palaver.protocol.errors import ProtocolError
    from palaver.signaling.tokens import TokenVerifier

    try:
        return TokenVerifier(auth, lambda: now).verify(minted)
    except ProtocolError as error:
        raise typer.BadParameter(f"the node would refuse this token: {error}") from None
