"""The node's own key and what lets it in, kept over restarts in `<state directory>/cluster`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from palaver.cluster.invitation import Invitation
from palaver.cluster.private_file import read_private, write_private
from palaver.core import KeyManager
from palaver.errors import SettingsError

IDENTITY: Final = "identity"
CREDENTIALS: Final = "credentials"


class Credentials(Struct, frozen=True):
    """What lets the node into a cluster in which authorities decide."""

    cluster: str
    authorities: tuple[bytes, ...]
    serial: int
    ticket: bytes
    seeds: tuple[str, ...] = ()

    @property
    def not_after(self) -> int:
        """Seconds of Unix time."""
        return int.from_bytes(self.ticket[:8], "little")


class IdentityStore:
    """The files of one node; each is written durably or not at all, with mode 0600."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def keys(self) -> KeyManager:
        """The node's key, made on first use. Raises SettingsError."""
        path = self.directory / IDENTITY
        data = read_private(path)
        if data is None:
            keys = KeyManager()
            self._write_key(keys)
            return keys
        try:
            return KeyManager(bytes.fromhex(data.decode("ascii").strip()))
        except ValueError:
            raise SettingsError(
                f"{path}: is not a node's key; restore it, or delete it to begin as a new node"
            ) from None

    def credentials(self) -> Credentials | None:
        """What an invitation brought, None where there was none. Raises SettingsError."""
        path = self.directory / CREDENTIALS
        data = read_private(path)
        if data is None:
            return None
        try:
            return msgspec.msgpack.decode(data, type=Credentials)
        except msgspec.MsgspecError:
            raise SettingsError(f"{path}: is damaged; start with an invitation again") from None

    def save(self, credentials: Credentials) -> None:
        write_private(self.directory / CREDENTIALS, msgspec.msgpack.encode(credentials))

    def adopt(self, invitation: Invitation) -> None:
        """Takes what an invitation brings; taking it again changes nothing that has become newer meanwhile.

        Raises SettingsError where the invitation is for another node than the one that lives here, or has run out.
        """
        if invitation.not_after < time.time():
            raise SettingsError("the invitation has run out: ask for another one (`palaver cluster invite`)")
        has_key = (self.directory / IDENTITY).exists()
        if has_key or not invitation.private_key:
            mine = self.keys()
            if mine.public_key != invitation.public_key:
                raise SettingsError(
                    f"the invitation is for another node: here lives {mine.node_id} with the public key "
                    f"{mine.public_key.hex()}; invite that (`palaver cluster invite --key`), or use another state directory"
                )
        else:
            self._write_key(KeyManager(invitation.private_key))
        held = self.credentials()
        if held is not None and held.cluster == invitation.cluster and held.serial > invitation.serial:
            return
        fresh = Credentials(
            invitation.cluster, invitation.authorities, invitation.serial, invitation.ticket, invitation.seeds
        )
        if held is not None and held.serial == fresh.serial and held.not_after > fresh.not_after:
            return
        self.save(fresh)

    def _write_key(self, keys: KeyManager) -> None:
        write_private(self.directory / IDENTITY, f"{keys.get_private_key().hex()}\n".encode())
