"""Rulings: who is banned from where, and which tokens are void. They outlive rooms, sessions and restarts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from palaver.protocol.errors import ProtocolError
from palaver.rooms.role import Claims
from palaver.signaling.ports import Ledger


class Ruling(Struct, frozen=True):
    """One ban or revocation. Times are seconds since the Unix epoch."""

    id: str
    kind: Literal["ban", "revoke"]
    identity: str
    made_at: float
    by: str
    room: str = ""
    """Where it holds; empty: in every room."""
    until: float | None = None
    """When a ban ends; None: never."""
    before: float | None = None
    """Tokens issued before this are void; those that do not say when they were issued are, too."""
    token_id: str = ""
    """The one token (jti) that is void; empty: by time."""
    reason: str = ""

    def is_over(self, now: float) -> bool:
        return self.until is not None and self.until <= now


class Rulings:
    """All rulings in force, by identity. Each is in the ledger before it holds: what is acknowledged is durable."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._by_identity: dict[str, list[Ruling]] = {}
        for ruling in ledger.load():
            self._by_identity.setdefault(ruling.identity, []).append(ruling)

    def add(self, rulings: Iterable[Ruling]) -> None:
        """Raises ProtocolError unavailable where they cannot be written down; then none of them holds."""
        rulings = list(rulings)
        try:
            self._ledger.record(rulings)
        except OSError as error:
            raise ProtocolError(
                "unavailable", f"the ruling cannot be kept: {error.strerror or error}"
            ) from error
        for ruling in rulings:
            self._by_identity.setdefault(ruling.identity, []).append(ruling)

    def bans(self, now: float) -> list[Ruling]:
        """The bans in force, oldest first."""
        rulings = (each for identity in list(self._by_identity) for each in self._in_force(identity, now))
        return sorted((each for each in rulings if each.kind == "ban"), key=lambda each: each.made_at)

    def lift(self, id: str) -> None:
        """Ends a ruling before its time; unknown ids are ignored. Raises ProtocolError unavailable; then it still holds."""
        try:
            self._ledger.erase(id)
        except OSError as error:
            raise ProtocolError(
                "unavailable", f"the ruling cannot be lifted: {error.strerror or error}"
            ) from error
        for identity, rulings in list(self._by_identity.items()):
            if kept := [each for each in rulings if each.id != id]:
                self._by_identity[identity] = kept
            else:
                del self._by_identity[identity]

    def check_ban(self, identity: str, room: str, now: float) -> None:
        """Raises ProtocolError banned, with the time that is left where it ends."""
        for ruling in self._in_force(identity, now):
            if ruling.kind == "ban" and ruling.room in ("", room):
                after = None if ruling.until is None else round((ruling.until - now) * 1000)
                raise ProtocolError("banned", ruling.reason or None, after_ms=after, banId=ruling.id)

    def check_token(self, claims: Claims, now: float, room: str = "") -> None:
        """Raises ProtocolError token_revoked. A revocation for one room holds in it, and for tokens that name it."""
        for ruling in self._in_force(claims.identity, now):
            if ruling.kind != "revoke" or ruling.room not in ("", room, claims.grants.room):
                continue
            if ruling.token_id:
                void = ruling.token_id == claims.token_id
            else:
                void = claims.issued_at is None or claims.issued_at < (ruling.before or 0)
            if void:
                raise ProtocolError("token_revoked", ruling.reason or None)

    def _in_force(self, identity: str, now: float) -> list[Ruling]:
        rulings = self._by_identity.get(identity)
        if not rulings:
            return []
        if any(ruling.is_over(now) for ruling in rulings):
            rulings = [ruling for ruling in rulings if not ruling.is_over(now)]
            self._by_identity[identity] = rulings
        return rulings
