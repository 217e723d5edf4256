"""AdmissionController: whether a message may proceed. The cheapest check comes first, and all before any side effect."""

from __future__ import annotations

import logging
import math
from typing import Final, NoReturn, get_args

from msgspec import Struct

from palaver.core import RateLimit
from palaver.protocol.close_codes import CloseCode
from palaver.protocol.errors import ProtocolError
from palaver.protocol.methods.table import METHODS
from palaver.protocol.types import Role, Source
from palaver.rooms.role import Claims, Grants, Need, is_moderator
from palaver.rooms.session import SignalingSession, State
from palaver.settings import LimitSettings, LiveSettings
from palaver.signaling.message import Caller, Message
from palaver.signaling.ports import Connection
from palaver.signaling.rate_limit import Meter, Meters

log = logging.getLogger(__name__)

SHEDDING: Final = (
    "the loop is in time again: nothing is refused",
    "the loop is late: statistics and traces are refused",
    "the loop is very late: quality reports are refused, too",
)
_SEATED: Final = frozenset[State]({"joined"})
_AUTHENTICATED: Final = frozenset[State]({"authed", "joined"})

# method → states of the session in which it may be called (protocol § 2 and § 5).
STATES: Final[dict[str, frozenset[State]]] = {
    **dict.fromkeys(METHODS, _SEATED),
    "auth": frozenset({"new"}),
    "join": frozenset({"new", "authed", "joined"}),
    "validateToken": _AUTHENTICATED,
    "refreshToken": _AUTHENTICATED,
    "heartbeat": _AUTHENTICATED,
    "roomInfo": _AUTHENTICATED,
    "debugPing": _AUTHENTICATED,
}

NEEDS: Final[dict[str, Need]] = {"createConsumer": "canSubscribe"}
_GRANT_FIELDS: Final = dict(zip(Grants.__struct_encode_fields__, Grants.__struct_fields__, strict=True))
assert set(get_args(Need)) <= set(_GRANT_FIELDS), "every need is a grant"


CLASSES: Final = ("request", "candidate", "stats", "ping")
WORK_PER_REQUEST: Final = 20
"""Things that a request may go through for the price of one: a peer shown or a consumer made takes a twentieth of the
time of a small request."""
PINGS_PER_SECOND: Final = 2  # protocol § 5, debugPing

# method → how overloaded the node must be to refuse it. Signaling itself is not here: it is never shed.
SHED_AT: Final = {"videoStats": 1, "audioStats": 1, "traceEvent": 1, "networkQuality": 2}
SHED_AFTER_MS: Final = 2000
"""When to try again: twice the time over which the loop's lag is averaged."""


TOLD: Final = frozenset(
    {
        "createProducer",
        "closeProducer",
        "replaceTrack",
        "changeEncoding",
        "lockRoom",
        "kickUser",
        "traceEvent",
    }
)
"""Methods whose params, in part or whole, are told to everybody in the room. A join's are, too: it is charged once it is known
whose it is. What goes to one peer is not counted: it waits where that peer does not read (TransportHandler)."""
_TOLD_BYTES: Final = len(CLASSES)
_RECEIVED: Final = _TOLD_BYTES + 1
"""Where the meter of an identity counts bytes, behind the classes of requests."""
LARGE_BYTES: Final = 4096
"""Messages up to this size are bounded well enough by their number."""


class Shed(ProtocolError):
    """The node is overloaded and refuses what can wait. Not the client's error: it is not counted against it."""

    def __init__(self) -> None:
        super().__init__("rate_limited", "the node is busy; statistics have to wait", after_ms=SHED_AFTER_MS)


class _Rule(Struct, frozen=True):  # a field is found in half the time that a NamedTuple's takes
    """All that admission knows of a method; one look-up finds it."""

    rate: int
    """Index into CLASSES."""
    states: frozenset[State]
    need: Need | None
    shed_at: int
    """0: never."""
    is_told: bool


_RULES: Final = {
    name: _Rule(CLASSES.index(method.rate), STATES[name], NEEDS.get(name), SHED_AT.get(name, 0), name in TOLD)
    for name, method in METHODS.items()
}


RELAY_RATES: Final = {method: _RULES[method].rate for method in ("sdpOffer", "sdpAnswer", "iceCandidate")}
"""method → index into CLASSES, of what peers send each other; a seat is all that it takes."""
assert all(_RULES[method] == _Rule(rate, _SEATED, None, 0, False) for method, rate in RELAY_RATES.items())


def _rate_limit(limits: LimitSettings, rate: float, burst: float) -> RateLimit:
    """For a connection, its address and its identity: in the order of `Caller.meters`."""
    factors = (1, limits.address_factor, limits.identity_factor)
    return RateLimit(*((rate * factor, burst * factor) for factor in factors))


class AdmissionController:
    """Checks how often, in which state and with which grants something is asked.

    One connection may use `limits.…_per_second` and the burst beside it; all connections of an identity, and of an
    address, some factor of it. What is told to others counts by its bytes as well, for all connections of an identity
    together: with one queue to fill, coming again must not help. How late the loop is, is told by `note_lag`.
    """

    def __init__(self, settings: LiveSettings) -> None:
        self.refused: dict[tuple[str, str], int] = {}
        """(class, on whose account) → requests refused with rate_limited, for metrics."""
        self.shedding = 0
        """0: nothing is shed; 1: statistics and traces; 2: also quality reports."""
        self._settings = settings
        self._addresses = Meters(len(CLASSES), settings.limits.remembered_callers)
        self._identities = Meters(_RECEIVED + 1, settings.limits.remembered_callers)
        self.configure()

    def configure(self) -> None:
        """Puts the limits of the settings in force, for connections that are open, too."""
        limits = self._settings.limits
        rates = {
            "request": (limits.requests_per_second, limits.request_burst),
            "candidate": (limits.candidates_per_second, limits.candidate_burst),
            "stats": (limits.stats_per_second, limits.stats_per_second * 5),
            "ping": (PINGS_PER_SECOND, PINGS_PER_SECOND),
        }
        self._rate_limits = [_rate_limit(limits, *rates[each]) for each in CLASSES]
        self._byte_seconds = 1 / limits.told_bytes_per_second
        self._burst_seconds = limits.told_burst_bytes * self._byte_seconds + 1e-9
        self._received_byte_seconds = 1 / limits.received_bytes_per_second
        self._received_burst_seconds = limits.received_burst_bytes * self._received_byte_seconds + 1e-9
        self._addresses.idle = self._identities.idle = limits.remembered_callers

    def new_caller(self, connection: Connection, session: SignalingSession) -> Caller:
        return Caller(connection, session, Meter(len(CLASSES)), self._addresses.of(connection.address))

    def note_lag(self, seconds: float) -> None:
        """Decides what is shed, by how late the loop runs on average."""
        limit = self._settings.limits.shed_lag_ms / 1000
        level = 0 if seconds <= limit else 1 if seconds <= 2 * limit else 2
        if level != self.shedding:
            self.shedding = level
            log.warning(SHEDDING[level], extra={"lag_seconds": round(seconds, 3)})

    def validate(self, message: Message) -> None:
        """Raises ProtocolError rate_limited, unauthenticated, wrong_state or forbidden; nothing has changed then."""
        caller = message.caller
        rule = _RULES[message.method]
        state = caller.session.state
        if state == "new":
            self._admit_early(message)
        if not self.admits(caller, rule.rate, message.now):
            self._refuse_event(caller, rule.rate, message.now)
        if state not in rule.states:
            if state == "new":
                raise ProtocolError("unauthenticated")
            raise ProtocolError("wrong_state", f"{message.method} cannot be called in state {state}")
        if rule.shed_at and self.shedding >= rule.shed_at:
            self._count(CLASSES[rule.rate], "shed")
            raise Shed
        if rule.need is not None:
            require(message.session.claims, rule.need)
        if rule.is_told and caller.identity is not None:
            self._charge(caller.identity.times, message.size, message.now)

    def admits_large(self, caller: Caller, size: int, now: float) -> bool:
        """Charges an identity for a message above LARGE_BYTES; False where it has sent too many. Reading a message is what
        costs, so it must be asked before."""
        meter = caller.identity or self._find_identity(caller)
        if meter is None:
            return True  # before authentication, messages are small
        ahead = max(meter.times[_RECEIVED] - now, 0.0) + size * self._received_byte_seconds
        if ahead > self._received_burst_seconds:
            self._count("received bytes", "identity")
            return False
        meter.times[_RECEIVED] = now + ahead
        return True

    def charge_join(self, identity: str, size: int, now: float) -> None:
        """Charges an identity with what its join tells the others. Raises ProtocolError rate_limited, having charged nothing."""
        self._charge(self._identities.of(identity).times, size, now)

    def _charge(self, times: list[float], size: int, now: float) -> None:
        theoretical = times[_TOLD_BYTES]
        if theoretical < now:
            theoretical = now
        ahead = theoretical - now + size * self._byte_seconds
        if ahead > self._burst_seconds:
            self._refuse_bytes(theoretical - now, size)
        times[_TOLD_BYTES] = now + ahead

    def _refuse_bytes(self, behind: float, size: int) -> None:
        """Refuses, unless it is one message larger than the whole burst, which passes where nothing else has."""
        if behind <= 0:
            return
        wait = min(behind, behind + size * self._byte_seconds - self._burst_seconds)
        self._count("told bytes", "identity")
        raise ProtocolError(
            "rate_limited", "too many bytes for the others", after_ms=math.ceil(wait * 1000 - 1e-6)
        )

    def admits(self, caller: Caller, rate: int, now: float, count: int = 1) -> bool:
        """Charges connection, address and identity with so many events; False, with nothing charged, if one has no room for all
        of them."""
        limit, own, address = self._rate_limits[rate], caller.meter.times, caller.address.times
        identity = caller.identity or self._find_identity(caller)
        if identity is None:
            return limit.admit(now, count, rate, own, address)
        return limit.admit(now, count, rate, own, address, identity.times)

    def _refuse_event(self, caller: Caller, rate: int, now: float) -> NoReturn:
        """Names the first account that had no room for an event."""
        tolerances = self._rate_limits[rate].tolerances
        waits = [
            (account, meter.times[rate] - tolerance - now)
            for (account, meter), tolerance in zip(caller.meters.items(), tolerances, strict=False)
        ]
        self._refuse(rate, *next((one for one in waits if one[1] > 0), waits[-1]))

    def charge_work(self, message: Message) -> None:
        """Charges a request that was large, now that it is known how large: those that follow wait for it."""
        rate, more = _RULES[message.method].rate, message.work // WORK_PER_REQUEST
        for meter, interval in zip(
            message.caller.meters.values(), self._rate_limits[rate].intervals, strict=False
        ):
            meter.times[rate] += more * interval

    def _find_identity(self, caller: Caller) -> Meter | None:
        identity = caller.session.client_id
        if identity is not None:
            caller.identity = self._identities.of(identity)
        return caller.identity

    def _admit_early(self, message: Message) -> None:
        """Before authentication a connection has a handful of requests, and then no more."""
        caller = message.caller
        caller.early += 1
        if caller.early > self._settings.limits.requests_before_auth:
            message.then_close = (CloseCode.TOO_MANY_ERRORS, "too many requests before authentication")
            self._refuse(_RULES[message.method].rate, "newcomer", 0.0)

    def _refuse(self, rate: int, account: str, wait: float) -> NoReturn:
        self._count(CLASSES[rate], account)
        raise ProtocolError("rate_limited", after_ms=math.ceil(wait * 1000 - 1e-6))

    def _count(self, what: str, account: str) -> None:
        key = what, account
        self.refused[key] = self.refused.get(key, 0) + 1


def require(claims: Claims | None, need: Need) -> None:
    """Raises ProtocolError forbidden, naming the grant that is missing."""
    if claims is None or not getattr(claims.grants, _GRANT_FIELDS[need]):
        raise ProtocolError("forbidden", need=need)


def require_moderator(role: Role) -> None:
    if not is_moderator(role):
        raise ProtocolError("forbidden", need="roomAdmin")


def require_publishing(grants: Grants, role: Role, source: Source) -> None:
    if grants.hidden:
        raise ProtocolError("forbidden", "a hidden participant publishes nothing", need="hidden")
    if role == "observer" or not grants.may_publish(source):
        need = "canPublishData" if source == "data" else "canPublish"
        raise ProtocolError("forbidden", f"you may not publish {source}", need=need)
