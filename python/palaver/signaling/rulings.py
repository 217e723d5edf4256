"""Rulings: who is banned from where, and which tokens are void. They outlive rooms, sessions and restarts."""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from collections.abc import Iterable
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from palaver.protocol.errors import ProtocolError
from palaver.rooms.role import RANK, Claims
from palaver.settings import LiveSettings
from palaver.signaling.ports import Ledger

OPERATOR_RANK: Final = max(RANK.values()) + 1
"""Of whoever runs the node."""
SWEEP_SECONDS: Final = 60.0
"""How often what is over is looked for, at most."""

_Subject = tuple[str, str, str, str]
"""Kind, identity, room, token: of rulings that agree in these there is one."""


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
    rank: int = OPERATOR_RANK
    """Of who made it: it ends the stays of those below."""

    @property
    def subject(self) -> _Subject:
        return self.kind, self.identity, self.room, self.token_id

    def is_over(self, now: float) -> bool:
        return self.until is not None and self.until <= now

    def bans_from(self, room: str) -> bool:
        return self.kind == "ban" and self.room in ("", room)

    def voids(self, claims: Claims, room: str) -> bool:
        """Whether it makes a token of its identity void in a room (empty: nowhere in particular)."""
        if self.kind != "revoke" or self.room not in ("", room, claims.grants.room):
            return False
        if self.token_id:
            return self.token_id == claims.token_id
        # A token that a node made from another is as old as that one, or a refresh would outrun the revocation.
        return claims.decided_at is None or claims.decided_at < (self.before or 0)

    def joined_with(self, later: Ruling) -> Ruling:
        """Itself, or made as long and as strict as a later one of the same subject; its id and its beginning stay."""
        until = None if self.until is None or later.until is None else max(self.until, later.until)
        before = max(self.before or 0.0, later.before or 0.0) or None
        if (until, before) == (self.until, self.before):
            return self
        reason = later.reason or self.reason
        return replace(self, until=until, before=before, by=later.by, reason=reason, rank=later.rank)


class Rulings:
    """All rulings in force, by identity. Each is in the ledger before it holds: what is acknowledged is durable.

    Of one kind, identity and place there is one: another one makes it longer or stricter, never the reverse, and keeps
    its id. What is over is forgotten, here and in the ledger, so that memory and disk are bounded by the settings.
    """

    def __init__(self, ledger: Ledger, settings: LiveSettings) -> None:
        self._ledger = ledger
        self._settings = settings
        self._all: dict[str, Ruling] = {}
        self._by_identity: dict[str, dict[_Subject, Ruling]] = {}
        self._in_room: Counter[str] = Counter()
        """Room → rulings that hold there only."""
        self._next_sweep = 0.0
        for ruling in sorted(ledger.load(), key=lambda each: each.made_at):
            known = self._find(ruling)
            self._put(ruling if known is None else known.joined_with(ruling))
            if known is not None:
                self._forget_double(ruling)

    def __len__(self) -> int:
        return len(self._all)

    def add(self, rulings: Iterable[Ruling]) -> list[Ruling]:
        """Puts rulings in force and returns what holds now in their place.

        Raises ProtocolError limit where there are too many, and unavailable where they cannot be written down; then
        none of them holds.
        """
        made = list(rulings)
        self._sweep(max((each.made_at for each in made), default=0.0))
        joined: dict[_Subject, Ruling] = {}
        for each in made:
            known = joined.get(each.subject) or self._find(each, each.made_at)
            joined[each.subject] = each if known is None else known.joined_with(each)
        fresh = [each for each in joined.values() if self._all.get(each.id) != each]
        self._check_caps([each for each in fresh if each.id not in self._all])
        try:
            if fresh:
                self._ledger.record(fresh)
        except OSError as error:
            raise ProtocolError(
                "unavailable", f"the ruling cannot be kept: {error.strerror or error}"
            ) from error
        for each in fresh:
            self._put(each)
        return [joined[each.subject] for each in made]

    def catch_up(self) -> list[Ruling]:
        """Takes over what other workers, who share the ledger, have ruled meanwhile. Returns what is new or stricter."""
        news = self._ledger.news()
        if news is None:
            kept = {each.id: each for each in self._ledger.load()}
            news = {**dict.fromkeys(self._all.keys() - kept.keys()), **kept}
        return [held for id, each in news.items() if (held := self._take_over(id, each)) is not None]

    def _take_over(self, id: str, ruling: Ruling | None) -> Ruling | None:
        known = self._all.get(id)
        if ruling is None:
            if known is not None:
                self._drop(known)
            return None
        if ruling == known:
            return None
        twin = self._find(ruling, ruling.made_at)
        if twin is None or twin.id == id:
            self._put(ruling)
            return ruling
        # Two workers ruled on the same subject at the same moment: both keep the same one of the two.
        first, later = sorted((twin, ruling), key=lambda each: (each.made_at, each.id))
        joined = first.joined_with(later)
        self._put(joined)
        self._forget_double(later)
        return joined

    def bans(self, now: float) -> list[Ruling]:
        """The bans in force, oldest first."""
        bans = (each for each in self._all.values() if each.kind == "ban" and not each.is_over(now))
        return sorted(bans, key=lambda each: each.made_at)

    def lift(self, id: str) -> None:
        """Ends a ruling before its time; unknown ids are ignored. Raises ProtocolError unavailable; then it still holds."""
        try:
            self._ledger.erase(id)
        except OSError as error:
            raise ProtocolError(
                "unavailable", f"the ruling cannot be lifted: {error.strerror or error}"
            ) from error
        if id in self._all:
            self._drop(self._all[id])

    def check_ban(self, identity: str, room: str, now: float) -> None:
        """Raises ProtocolError banned, with the time that is left where it ends."""
        bans = [each for each in self._in_force(identity, now) if each.bans_from(room)]
        if bans:
            longest = max(bans, key=lambda each: math.inf if each.until is None else each.until)
            if longest.until is None:
                raise ProtocolError("banned", longest.reason or None, banId=longest.id)
            after = math.ceil((longest.until - now) * 1000)
            raise ProtocolError(
                "banned", longest.reason or None, after_ms=after, retry="same", banId=longest.id
            )

    def check_token(self, claims: Claims, now: float, room: str = "") -> None:
        """Raises ProtocolError token_revoked. A revocation for one room holds in it, and for tokens that name it."""
        for ruling in self._in_force(claims.identity, now):
            if ruling.voids(claims, room):
                raise ProtocolError("token_revoked", ruling.reason or None)

    def _in_force(self, identity: str, now: float) -> list[Ruling]:
        rulings = self._by_identity.get(identity)
        return [each for each in rulings.values() if not each.is_over(now)] if rulings else []

    def _find(self, like: Ruling, now: float = 0.0) -> Ruling | None:
        """The ruling in force of the same kind, identity and place."""
        known = self._by_identity.get(like.identity, {}).get(like.subject)
        return None if known is None or known.is_over(now) else known

    def _put(self, ruling: Ruling) -> None:
        of_identity = self._by_identity.setdefault(ruling.identity, {})
        known = of_identity.get(ruling.subject)
        if known is not None:
            self._drop(known)
            of_identity = self._by_identity.setdefault(ruling.identity, {})
        self._all[ruling.id] = of_identity[ruling.subject] = ruling
        self._in_room[ruling.room] += 1

    def _drop(self, ruling: Ruling) -> None:
        del self._all[ruling.id]
        of_identity = self._by_identity[ruling.identity]
        del of_identity[ruling.subject]
        if not of_identity:
            del self._by_identity[ruling.identity]
        self._in_room[ruling.room] -= 1
        if not self._in_room[ruling.room]:
            del self._in_room[ruling.room]

    def _forget_double(self, ruling: Ruling) -> None:
        """Takes from the ledger what an earlier version kept beside another of its subject."""
        with contextlib.suppress(OSError):  # the next start tries again; until then both say the same
            self._ledger.record([self._by_identity[ruling.identity][ruling.subject]])
            self._ledger.erase(ruling.id)

    def _check_caps(self, fresh: list[Ruling]) -> None:
        limits = self._settings.limits
        if fresh and len(self._all) + len(fresh) > limits.rulings:
            raise ProtocolError("limit", f"this node keeps at most {limits.rulings} bans and revocations")
        for room, count in Counter(each.room for each in fresh).items():
            if room and self._in_room[room] + count > limits.rulings_per_room:
                raise ProtocolError(
                    "limit", f"a room has at most {limits.rulings_per_room} bans and revocations"
                )

    def _sweep(self, now: float) -> None:
        """Forgets what is over, now and then, and always before there would be too many."""
        if now < self._next_sweep and len(self._all) < self._settings.limits.rulings:
            return
        self._next_sweep = now + SWEEP_SECONDS
        for ruling in [each for each in self._all.values() if each.is_over(now)]:
            self._drop(ruling)
        with contextlib.suppress(
            OSError
        ):  # what is over holds no more, on disk or not; the next sweep tries again
            self._ledger.purge(now)
