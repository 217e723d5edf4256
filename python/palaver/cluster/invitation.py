"""Invitation: all that a new node needs to join a cluster, as one token.

An invitation is for one node key. Either the authority makes the key and the token holds it (then the token is a secret,
and whoever has it is that node), or the new node has shown its public key and the token holds no secret.

What "one-time" means here: a token can never make a second member. Used on two machines it makes one member twice, which the
engine notices: the cluster goes by one of the two, and the other reports it (IdentityConflict). Nothing has to be online, and
no list of used tokens is kept, for that. What does not hold: a token with a key that was read by somebody else is that node's
identity in his hands too, until the ticket ends or the key is banned (`palaver cluster keys revoke`). Where that matters, invite
a public key.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from palaver.core import KeyManager
from palaver.errors import SettingsError

PREFIX: Final = "palaver-join-1."
MAX_TOKEN: Final = 16_384
"""Characters: 64 seeds of 100 characters fit."""
TICKET_BYTES: Final = 72
KEY_BYTES: Final = 32


class Invitation(Struct, frozen=True, array_like=True):
    """What the token holds; times are seconds of Unix time."""

    cluster: str
    public_key: bytes
    ticket: bytes
    """Until when (8 bytes, little-endian) and the authority's signature (64)."""
    authorities: tuple[bytes, ...]
    serial: int
    """Which set of authorities that is: a later one has a larger number."""
    seeds: tuple[str, ...] = ()
    private_key: bytes = b""
    """Empty where the node has its own."""

    @property
    def not_after(self) -> int:
        return int.from_bytes(self.ticket[:8], "little")

    def token(self) -> str:
        return PREFIX + base64.urlsafe_b64encode(msgspec.msgpack.encode(self)).rstrip(b"=").decode()


def read_invitation(text: str) -> Invitation:
    """Reads a token, or `file:PATH` of one. Raises SettingsError: what is wrong, never the token itself."""
    if text.startswith("file:"):
        path = Path(text.removeprefix("file:"))
        try:
            with path.open() as file:
                text = file.read(MAX_TOKEN + 1)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "is not text"
            raise SettingsError(f"{path}: the invitation cannot be read: {reason}") from None
    text = text.strip()
    if not text.startswith(PREFIX) or len(text) > MAX_TOKEN:
        raise SettingsError(
            f"the invitation is none: it begins with {PREFIX} and comes from `palaver cluster invite`"
        )
    encoded = text.removeprefix(PREFIX)
    try:
        data = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
        invitation = msgspec.msgpack.decode(data, type=Invitation)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise SettingsError("the invitation is damaged: copy the whole token") from None
    sizes = {len(invitation.public_key), *map(len, invitation.authorities)}
    if sizes != {KEY_BYTES} or len(invitation.ticket) != TICKET_BYTES:
        raise SettingsError("the invitation is damaged: a key or the ticket has the wrong size")
    if invitation.private_key and KeyManager(invitation.private_key).public_key != invitation.public_key:
        raise SettingsError("the invitation is damaged: its two keys do not belong together")
    return invitation
