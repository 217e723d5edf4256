"""CredentialKeeper: who may join, as the settings, an invitation and later notices say."""

from __future__ import annotations

import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal

from msgspec.structs import replace

from palaver.cluster.identity import Credentials, IdentityStore
from palaver.cluster.invitation import read_invitation
from palaver.cluster.notice import AuthoritySet, NoticeError, read_notice
from palaver.core import KeyManager
from palaver.errors import SettingsError
from palaver.settings.cluster import ClusterSettings

EARLY: Final = 1_024
"""Notices that wait for the key that signed them: a ticket for each node of a large cluster, below 1 MiB together."""


class CredentialKeeper:
    """The node's key and what lets it in. What notices change is on the disk before it counts."""

    def __init__(self, settings: ClusterSettings, directory: Path | None) -> None:
        """Raises SettingsError."""
        self._settings = settings
        self._early: deque[bytes] = deque(maxlen=EARLY)
        self._store = IdentityStore(directory) if directory is not None else None
        if settings.invitation:
            invitation = read_invitation(settings.invitation)
            if self._store is None:
                raise SettingsError(
                    "an invitation needs a state directory: it is used at the first start only"
                )
            self._store.adopt(invitation)
        self.keys = self._store.keys() if self._store is not None else KeyManager()
        held = self._store.credentials() if self._store is not None else None
        decides = settings.admission == "authorities" or bool(settings.invitation)
        self.credentials: Credentials | None = held if decides else None
        if decides and held is None:
            raise SettingsError(
                "cluster.admission by authorities needs an invitation at the first start (cluster.invitation): "
                f"`palaver cluster invite --key {self.keys.public_key.hex()}` where the authority is"
            )
        if self.credentials is not None and self.credentials.not_after < time.time():
            raise SettingsError(
                "this node's ticket has run out: start it with a new invitation, of "
                f"`palaver cluster invite --key {self.keys.public_key.hex()}`"
            )

    @property
    def cluster(self) -> str:
        """The cluster's name."""
        return self.credentials.cluster if self.credentials is not None else self._settings.name

    @property
    def seeds(self) -> tuple[str, ...]:
        """Whom the invitation names."""
        return self.credentials.seeds if self.credentials is not None else ()

    @property
    def authorities(self) -> tuple[bytes, ...]:
        """The public keys whose tickets, bans and notices count."""
        listed = tuple(bytes.fromhex(key) for key in self._settings.authorities)
        mine = self.credentials.authorities if self.credentials is not None else ()
        return tuple(dict.fromkeys((*mine, *listed)))

    @property
    def kind(self) -> Literal["open", "keys", "authorities"]:
        """How it is decided who may join."""
        if self.credentials is not None:
            return "authorities"
        return "keys" if self._settings.admission == "keys" else "open"

    def admission(self) -> dict[str, Any]:
        """The arguments of ClusterDriver and its set_admission."""
        if self.credentials is not None:
            return {"authorities": list(self.authorities), "ticket": self.credentials.ticket}
        if self.kind == "keys":
            keys = [bytes.fromhex(key) for key in self._settings.keys]
            return {"allowed_keys": [*keys, self.keys.public_key], "administrators": list(self.authorities)}
        return {"administrators": list(self.authorities)} if self.authorities else {}

    def reconfigure(self, settings: ClusterSettings) -> None:
        """Takes new lists of keys and authorities from reloaded settings."""
        self._settings = settings

    def take(self, payload: bytes) -> str:
        """Believes a notice: what it changed, "" for nothing. Raises NoticeError, SettingsError (then it does not count)."""
        try:
            notice = read_notice(payload, self.authorities, self.cluster)
        except NoticeError:
            if payload not in self._early:
                self._early.append(payload)
            raise
        held = self.credentials
        if held is None:
            return ""
        if isinstance(notice, AuthoritySet):
            if notice.serial <= held.serial:
                return ""
            self._keep(replace(held, authorities=notice.keys, serial=notice.serial))
            return f"authorities, set {notice.serial}"
        if notice.public_key != self.keys.public_key or notice.ticket == held.ticket:
            return ""
        self._keep(replace(held, ticket=notice.ticket))
        return "ticket"

    def retry(self) -> list[str]:
        """After a change: what came too early, signed by a key that was unknown then. Gossip keeps no order."""
        changed = []
        for payload in [self._early.popleft() for _ in range(len(self._early))]:
            with suppress(NoticeError):
                changed.append(self.take(payload))
        return [what for what in changed if what]

    def _keep(self, credentials: Credentials) -> None:
        if self._store is not None:
            self._store.save(credentials)
        self.credentials = credentials
