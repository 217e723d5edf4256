"""Authority: the keys whose word lets nodes into a cluster, and the ledger of whom they let in.

A directory of its own, not of a node: whoever has it decides who is a member. Keep it on one machine, or offline.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from palaver.cluster.invitation import MAX_TOKEN, Invitation
from palaver.cluster.notice import MAX_AUTHORITIES, AuthoritySet, TicketRenewal, sign_notice
from palaver.cluster.private_file import read_private, write_private
from palaver.core import KeyManager, node_id_of, sign_ban, sign_ticket
from palaver.errors import SettingsError
from palaver.settings.cluster_rules import NAME_RULE, is_cluster_name

LEDGER: Final = "authority.json"
MAX_LEDGER: Final = 1 << 25
"""Bytes: the engine's 65,536 members (EngineConfig::max_members) of some 350, and as many that are banned."""
MAX_NAME: Final = 256
"""Characters of what a node is called in the ledger: as many bytes as in its record."""
KeyState = Literal["active", "retiring", "revoked"]


class AuthorityKey(Struct, frozen=True, rename="camel"):
    """One key of the authority. `active` signs, `retiring` still counts, `revoked` does not."""

    id: str
    public_key: str
    created: int
    state: KeyState


class Admitted(Struct, frozen=True, rename="camel"):
    """A node that was let in."""

    node_id: str
    public_key: str
    name: str
    issued: int
    not_after: int
    authority: str
    banned: bool = False


class Ledger(Struct, frozen=True, rename="camel"):
    """What was decided so far. Times are seconds of Unix time."""

    cluster: str
    serial: int
    keys: tuple[AuthorityKey, ...]
    nodes: tuple[Admitted, ...] = ()


class Authority:
    """Opens the directory with `open`, or makes one with `create`. Each verb writes what it decided before it returns it."""

    def __init__(self, directory: Path, ledger: Ledger) -> None:
        self.directory = directory
        self.ledger = ledger

    @classmethod
    def create(cls, directory: Path, cluster: str) -> Authority:
        """Makes a key pair. Raises SettingsError where there is an authority already, which is never replaced.

        The cluster's name is that of the setting cluster.name, and has its rule.
        """
        if not is_cluster_name(cluster):
            raise SettingsError(f"a cluster's name must be {NAME_RULE}, not {cluster!r}")
        if (directory / LEDGER).exists():
            raise SettingsError(
                f"{directory}: there is an authority already; `palaver cluster keys rotate` renews its key"
            )
        authority = cls(directory, Ledger(cluster, 1, ()))
        authority._save(replace(authority.ledger, keys=(authority._new_key(),)))
        return authority

    @classmethod
    def open(cls, directory: Path) -> Authority:
        """Raises SettingsError."""
        path = directory / LEDGER
        data = read_private(path, MAX_LEDGER)
        if data is None:
            raise SettingsError(f"{directory}: there is no authority; `palaver cluster init` makes one")
        try:
            return cls(directory, msgspec.json.decode(data, type=Ledger))
        except msgspec.MsgspecError as error:
            raise SettingsError(f"{path}: is damaged: {error}") from None

    @property
    def trusted(self) -> tuple[bytes, ...]:
        """The public keys that count, the one that signs first."""
        keys = sorted(self.ledger.keys, key=lambda key: key.state != "active")
        return tuple(bytes.fromhex(key.public_key) for key in keys if key.state != "revoked")

    def invite(
        self, *, name: str, ttl_seconds: int, seeds: Sequence[str] = (), public_key: bytes | None = None
    ) -> Invitation:
        """Lets one node in: the one with `public_key`, or a new one whose key the invitation holds.

        A node that was let in before gets a new ticket. Raises SettingsError, with nothing changed, for a banned node, for no
        key, for a name that is no line of text, for more seeds than a token holds and where the ledger is full.
        """
        if len(name) > MAX_NAME or not name.isprintable():
            raise SettingsError(f"a node's name is a line of at most {MAX_NAME} printable characters")
        private_key = b""
        if public_key is None:
            keys = KeyManager()
            public_key, private_key = keys.public_key, keys.get_private_key()
        try:
            node_id = node_id_of(public_key)
        except ValueError as error:
            raise SettingsError(f"a public key has 64 hex digits: {error}") from None
        if any(node.node_id == node_id and node.banned for node in self.ledger.nodes):
            raise SettingsError(f"{node_id} is banned, for ever: it needs a new key")
        admitted, ticket = self._admit(node_id, public_key, name, int(time.time()) + ttl_seconds)
        invitation = Invitation(
            self.ledger.cluster,
            public_key,
            ticket,
            self.trusted,
            self.ledger.serial,
            tuple(seeds),
            private_key,
        )
        if len(invitation.token()) > MAX_TOKEN:
            raise SettingsError(f"the seeds do not fit into a token of {MAX_TOKEN} characters: name fewer")
        others = tuple(node for node in self.ledger.nodes if node.node_id != node_id)
        self._save(replace(self.ledger, nodes=(*others, admitted)))
        return invitation

    def rotate(self) -> list[bytes]:
        """Makes a new key that signs from now on, while the one before still counts, and new tickets for all nodes.

        Returns the notices for the cluster, in the order in which to tell them. Raises SettingsError when too many keys
        count already.
        """
        if len(self.trusted) >= MAX_AUTHORITIES:
            raise SettingsError(f"{MAX_AUTHORITIES} keys count already: revoke one first")
        retired = tuple(
            replace(key, state="retiring") if key.state == "active" else key for key in self.ledger.keys
        )
        self._save(replace(self.ledger, serial=self.ledger.serial + 1, keys=(self._new_key(), *retired)))
        nodes, renewals = [], []
        for node in self.ledger.nodes:
            if node.banned or node.not_after < time.time():
                nodes.append(node)
                continue
            public_key = bytes.fromhex(node.public_key)
            admitted, ticket = self._admit(node.node_id, public_key, node.name, node.not_after)
            nodes.append(admitted)
            renewals.append(TicketRenewal(public_key, ticket))
        self._save(replace(self.ledger, nodes=tuple(nodes)))
        return list(self._notices(renewals))

    def revoke_key(self, key_id: str) -> list[bytes]:
        """A retiring key counts no more. Returns the notices. Raises SettingsError for the key that signs."""
        for key in self.ledger.keys:
            if key.id == key_id:
                break
        else:
            raise SettingsError(f"there is no key {key_id!r} here")
        if key.state == "active":
            raise SettingsError(f"{key_id} is the key that signs: rotate first")
        keys = tuple(replace(one, state="revoked") if one.id == key_id else one for one in self.ledger.keys)
        self._save(replace(self.ledger, serial=self.ledger.serial + 1, keys=keys))
        (self.directory / f"{key_id}.key").unlink(missing_ok=True)
        return list(self._notices(()))

    def ban(self, node_id: str) -> bytes:
        """Bans a node, known here or not, for ever: the bytes for the cluster."""
        ban = sign_ban(self._signing(), self.ledger.cluster, node_id)
        nodes = tuple(
            replace(node, banned=True) if node.node_id == node_id else node for node in self.ledger.nodes
        )
        self._save(replace(self.ledger, nodes=nodes))
        return ban

    def notices(self) -> list[bytes]:
        """The set of keys in force and every node's ticket, once more: for nodes that have missed them."""
        renewals = [
            TicketRenewal(
                bytes.fromhex(node.public_key), self._ticket(bytes.fromhex(node.public_key), node.not_after)
            )
            for node in self.ledger.nodes
            if not node.banned and node.not_after >= time.time()
        ]
        return list(self._notices(renewals))

    def _notices(self, renewals: Sequence[TicketRenewal]) -> Iterator[bytes]:
        """The set of keys is signed with each key that counts, the oldest first: a node that missed the last set knows that."""
        cluster = self.ledger.cluster
        keys = AuthoritySet(self.ledger.serial, self.trusted)
        for key in reversed(self.ledger.keys):
            if key.state != "revoked":
                yield sign_notice(keys, self._key(key), cluster)
        signer = self._signing()
        for renewal in renewals:
            yield sign_notice(renewal, signer, cluster)

    def _admit(self, node_id: str, public_key: bytes, name: str, not_after: int) -> tuple[Admitted, bytes]:
        signer = self._active()
        admitted = Admitted(node_id, public_key.hex(), name, int(time.time()), not_after, signer.id)
        return admitted, self._ticket(public_key, not_after)

    def _ticket(self, public_key: bytes, not_after: int) -> bytes:
        return sign_ticket(self._signing(), self.ledger.cluster, public_key, not_after)

    def _active(self) -> AuthorityKey:
        for key in self.ledger.keys:
            if key.state == "active":
                return key
        raise SettingsError(f"{self.directory / LEDGER}: no key is active")

    def _signing(self) -> KeyManager:
        return self._key(self._active())

    def _key(self, key: AuthorityKey) -> KeyManager:
        path = self.directory / f"{key.id}.key"
        data = read_private(path)
        try:
            return KeyManager(bytes.fromhex((data or b"").decode("ascii").strip()))
        except ValueError:
            raise SettingsError(f"{path}: is not the authority's key") from None

    def _new_key(self) -> AuthorityKey:
        keys = KeyManager()
        key_id = keys.node_id[:8]
        write_private(self.directory / f"{key_id}.key", f"{keys.get_private_key().hex()}\n".encode())
        return AuthorityKey(key_id, keys.public_key.hex(), int(time.time()), "active")

    def _save(self, ledger: Ledger) -> None:
        data = _encoded(ledger)
        if len(data) > MAX_LEDGER:
            # Whose ticket has run out is no member; a ban is for ever.
            now = time.time()
            nodes = tuple(node for node in ledger.nodes if node.banned or node.not_after >= now)
            ledger = replace(ledger, nodes=nodes)
            data = _encoded(ledger)
        if len(data) > MAX_LEDGER:
            raise SettingsError(
                f"{self.directory / LEDGER}: is full, with {len(ledger.nodes)} nodes that may be members or are banned; "
                "nothing was changed"
            )
        write_private(self.directory / LEDGER, data, MAX_LEDGER)
        self.ledger = ledger


def _encoded(ledger: Ledger) -> bytes:
    return msgspec.json.format(msgspec.json.encode(ledger))
