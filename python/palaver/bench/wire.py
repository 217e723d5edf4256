"""Plans for a palaver node: what a scenario means in the words of the protocol (docs/protocol.md)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from palaver.bench.plan import WORD, Client, Flow, Inquiry, Message, Part, Plan, Stage, Step, Timing, Tls
from palaver.bench.scenario import Fanout, Idle, Joins, Load, Relay, Scenario, SlowReader, Storm, Trickle
from palaver.bench.sdp import candidate, offer
from palaver.protocol.close_codes import CloseCode

ERROR: Final = b'"error":{"code"'
REASON: Final = b'"reason":"'
REFUSED: Final = b'"id":'
AFTER: Final = b'"afterMs":'
LEAVE: Final = Message((b'{"jsonrpc":"2.0","id":2,"method":"leave"}',))
NUMBERED: Final = b'"seq":'
SEEN: Final = Message((b'{"jsonrpc":"2.0","method":"heartbeat","params":{"t":0,"seqSeen":', None, b"}}"))
"""What every client says from time to time: the node need not keep what it has seen."""
FENCED: Final = b'"id":"fence"'
FENCE: Final = Message((b'{"jsonrpc":"2.0",' + FENCED + b',"method":"heartbeat","params":{"t":0}}',))
"""A request that changes nothing. Whether it is refused, too, does not matter: it is answered."""
LETTER: Final = "ж"
"""Two bytes each: a lock's message has at most 1,024 characters."""
JOIN_TOKENS: Final = 20_000
"""Tokens that clients who come and go have between them: twice as many as a node remembers (`CACHED_TOKENS`), so that it has
forgotten the first when they are used up and begin again."""
PER_SOURCE: Final = 20_000
"""Connections from one address; it has some 28,000 ports."""

TokenMaker = Callable[[str, str, str], str]
"""(identity, room, role) → token."""


class Target(NamedTuple):
    """The node that is loaded."""

    host: str
    """An IP address."""
    port: int
    authority: str
    path: str
    tls: Tls | None = None

    @property
    def is_loopback(self) -> bool:
        return self.host.startswith("127.")


def plan_of(scenario: Scenario, target: Target, token: TokenMaker, run: str) -> Plan:
    """The plan of a scenario. Identities and rooms begin with `run`, so that two runs do not meet."""
    builder = _Builder(scenario, target, token, run)
    for stage in scenario.stage:
        builder.add(stage)
    storm = scenario.is_storm
    return Plan(
        host=target.host,
        port=target.port,
        authority=target.authority,
        clients=tuple(builder.clients),
        stages=tuple(builder.stages),
        flows=tuple(builder.flows),
        timing=Timing(
            connect=scenario.connect_seconds,
            warm_up=0.0 if storm else scenario.warm_up,
            measure=0.0 if storm else scenario.seconds,
        ),
        connecting=len(builder.clients) if storm else scenario.connecting,
        error=ERROR,
        reason=REASON,
        refused=REFUSED,
        after=AFTER,
        moved=CloseCode.SHUTDOWN,
        numbered=NUMBERED if any(flow.epilogue for flow in builder.flows) else None,
        tls=target.tls,
    )


class _Builder:
    def __init__(self, scenario: Scenario, target: Target, token: TokenMaker, run: str) -> None:
        self.clients: list[Client] = []
        self.stages: list[Stage] = []
        self.flows: list[Flow] = []
        self._scenario = scenario
        self._target = target
        self._token = token
        self._run = run
        self._rooms = 0

    def add(self, load: Load) -> None:
        match load:
            case Relay():
                self._pairs(load, load.pairs, lambda pair: relay_flow(pair, load.bytes, load.replies))
            case Trickle():
                self._pairs(load, load.pairs, lambda pair: trickle_flow(pair, load.bytes, load.burst))
            case Idle():
                self._stage(load, Stage(load.label, window=1))
                for pair in self._pairs_of(load.sessions // 2):
                    if load.messages:
                        flow = relay_flow(pair, load.bytes, replies=False)
                        self._flow(replace(flow, limit=load.messages, epilogue=SEEN if load.seen else None))
            case Fanout():
                self._stage(load)
                for room in self._rooms_of(load.rooms, load.room_size):
                    self._flow(lock_flow(room[0], tuple(room[1:]), load.bytes))
            case SlowReader():
                self._stage(load)
                room = self._room(1 + load.readers)
                # The slow ones are sent everything, too, but nobody waits until they have read it.
                self._room(load.slow, same=True, reads=False)
                self._flow(lock_flow(room[0], tuple(room[1:]), load.bytes))
            case Joins():
                stage = len(self.stages)
                self.stages.append(Stage(load.label, rate=load.rate, churn=True))
                tokens = math.ceil(JOIN_TOKENS / load.clients) if load.rate is None else self._comings(load)
                for first in range(0, load.clients, load.room_size):
                    size = min(load.room_size, load.clients - first)
                    self._room(size, churns=stage, tokens=tokens)
            case Storm():
                self._stage(load)
                self._room(load.sessions)
            case _:
                raise AssertionError(f"{load} is one of the kinds of a scenario")

    def _stage(self, load: Load, stage: Stage | None = None) -> None:
        window = load.window if load.rate is None else None
        self.stages.append(stage or Stage(load.label, window=window, rate=load.rate))

    def _flow(self, flow: Flow) -> None:
        self.flows.append(replace(flow, stage=len(self.stages) - 1))

    def _pairs(self, load: Load, count: int, flow: Callable[[tuple[int, int]], Flow]) -> None:
        self._stage(load)
        for pair in self._pairs_of(count):
            self._flow(flow(pair))

    def _rooms_of(self, count: int, size: int) -> Iterator[list[int]]:
        return (self._room(size) for _ in range(count))

    def _pairs_of(self, count: int) -> Iterator[tuple[int, int]]:
        return ((first, second) for first, second in self._rooms_of(count, 2))

    def _room(
        self,
        size: int,
        *,
        same: bool = False,
        reads: bool = True,
        churns: int | None = None,
        tokens: int = 1,
    ) -> list[int]:
        """Adds clients that join a new room, or the `same` one as the last; returns their indices."""
        self._rooms += not same
        room = f"{self._run}-{self._rooms}"
        first = len(self.clients)
        for index in range(first, first + size):
            role = "moderator" if index == first and not same else "participant"
            words = tuple(self._token(name, room, role).encode() for name in self._names(index, tokens))
            opening = (joining(room),)
            source = self._source(index)
            headers = "Sec-WebSocket-Protocol: palaver.v1\r\n"
            self.clients.append(
                Client(
                    self._target.path,
                    headers,
                    opening,
                    LEAVE,
                    source,
                    reads=reads,
                    words=words,
                    churns=churns,
                )
            )
        return list(range(first, first + size))

    def _comings(self, load: Joins) -> int:
        """How often each client of an open loop comes: twice its share, since they do not come in turn."""
        seconds = self._scenario.warm_up + self._scenario.seconds
        due = (load.rate or 0.0) * seconds
        return math.ceil(min(2 * due, JOIN_TOKENS) / load.clients) + 1

    def _names(self, index: int, count: int) -> Iterator[str]:
        """Identities of a client: one for each time that it comes."""
        for coming in range(count):
            yield f"{self._run}-{index}.{coming}" if coming else f"{self._run}-{index}"

    def _source(self, index: int) -> str | None:
        """Another loopback address for each 20,000 clients: ports of one address run out."""
        beyond = index // PER_SOURCE
        return f"127.0.0.{beyond + 1}" if beyond and self._target.is_loopback else None


def joining(room: str) -> Step:
    """Authenticates and joins in one flight, and remembers the peer id. The token is a word of the client."""
    said = _gapped("join", {"room": room, "token": _TOKEN}, id=1)
    return Step(b'"result":{"session"', said, capture=b'"you":{"peer":"')


def relay_flow(pair: tuple[int, int], size: int, replies: bool) -> Flow:
    """Offers of a fresh generation each."""
    sender, receiver = pair
    params = {"transport": "t", "direction": "p2p", "to": _PEER, "sdp": offer(size), "generation": _NUMBER}
    request = _gapped("sdpOffer", params, receiver, id=_NUMBER)
    return Flow(
        stage=0,
        sender=sender,
        receivers=(receiver,),
        messages=(request if replies else _gapped("sdpOffer", params, receiver),),
        arrival=b'"method":"transportOffer"',
        reply=b'"result"' if replies else None,
        inquiry=Inquiry(FENCE, FENCED, () if replies else (request,)),
    )


def trickle_flow(pair: tuple[int, int], size: int, burst: int) -> Flow:
    """Candidates of an offer that goes before them."""
    sender, receiver = pair
    base = {"transport": "c", "to": _PEER, "generation": 1}
    line = {"candidate": candidate(size), "sdpMid": "0", "sdpMLineIndex": 0}
    said: dict[str, Any] = {**base, "candidates": [line]}
    return Flow(
        stage=0,
        sender=sender,
        receivers=(receiver,),
        messages=(_gapped("iceCandidate", said, receiver),),
        arrival=b'"method":"transportIce"',
        prologue=_gapped("sdpOffer", {**base, "direction": "p2p", "sdp": offer(2048)}, receiver),
        burst=burst,
        inquiry=Inquiry(FENCE, FENCED, (_gapped("iceCandidate", said, receiver, id=_NUMBER),)),
    )


def lock_flow(sender: int, receivers: tuple[int, ...], size: int) -> Flow:
    """A moderator locks the room again and again, each time with another message; everybody is told."""
    params = {"mode": "closed", "message": _TEXT_NUMBER + LETTER * ((size - 10) // 2)}
    return Flow(
        stage=0,
        sender=sender,
        receivers=receivers,
        messages=(_gapped("lockRoom", params),),
        arrival=b'"method":"roomLocked"',
        inquiry=Inquiry(FENCE, FENCED, (_gapped("lockRoom", params, id=_NUMBER),)),
    )


def _encoded(message: dict[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()


_NUMBER, _TEXT_NUMBER, _PEER, _TOKEN = "\x00number", "\x00text", "\x00peer", "\x00token"
"""Stand in params where a message has a gap; JSON spells NUL in a way that nothing else does."""


def _gapped(
    method: str, params: dict[str, Any], peer: int | None = None, id: int | str | None = None
) -> Message:
    """The message in pieces around its gaps; `peer` is the client whose peer id stands at _PEER."""
    head: dict[str, Any] = {"jsonrpc": "2.0"} if id is None else {"jsonrpc": "2.0", "id": id}
    text = _encoded({**head, "method": method, "params": params})
    gaps: dict[bytes, Part] = {b'"\\u0000number"': ..., b"\\u0000text": ..., b"\\u0000token": WORD}
    if peer is not None:
        gaps[b"\\u0000peer"] = peer
    pieces = re.split(b"(" + b"|".join(map(re.escape, gaps)) + b")", text)
    return Message(tuple(gaps.get(piece, piece) for piece in pieces))
