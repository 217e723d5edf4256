"""The short way of a relay and the long one come to the same: replies, events, log, counters, what is charged."""

from __future__ import annotations

import json
from typing import Any, Final

from hypothesis import example, given
from hypothesis import strategies as st

from harness.plane import Client, Stage
from harness.settings import node_settings
from palaver.core import read_relays
from palaver.protocol.codec import JSON
from palaver.protocol.frames import TEXT, data_frame
from palaver.protocol.methods.session import EMPTY
from palaver.protocol.methods.transport import DELIVERED
from palaver.rooms.log import Entry, RoomLog
from palaver.rooms.room import Room

SDP: Final = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
LIMITS: Final = {
    "requests_per_second": 20,
    "request_burst": 20,
    "candidates_per_second": 10,
    "candidate_burst": 10,
}

peers = st.integers(0, 2)
receivers = st.one_of(peers, st.sampled_from(["nobody", "", 7, None]))
sdps = st.sampled_from(
    [
        SDP,
        SDP,
        SDP,
        SDP[:-2],
        "v=0\n",
        "v=1\r\n",
        "",
        SDP + 'a=\t"\\/\r\n',
        SDP + "a=ü\r\n",
        SDP + "a=😀\r\n",
        SDP + "a=\x01",
        3,
    ]
)
candidates = st.sampled_from(
    [
        "candidate:1 1 udp 2130706431 192.0.2.1 54321 typ host",
        "",
        "ü",
        "x" * 1025,
        {"candidate": "candidate:2", "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "abcd"},
        {"candidate": "", "sdpMid": None, "sdpMLineIndex": None, "usernameFragment": None},
        {"candidate": "candidate:2", "sdpMLineIndex": 65536},
        {"candidate": "candidate:2", "more": 1},
        {"sdpMid": "0"},
        5,
    ]
)
generations = st.one_of(st.integers(0, 5), st.sampled_from([-1, 2**31 - 1, 2**31, 1.0, "1", None]))
transports = st.sampled_from(["p", "p", "p", "q", "", "x" * 129, "é", "\x00"])
ids = st.one_of(
    st.none(), st.integers(0, 9), st.sampled_from([2**63 - 1, 2**63, 2**64, -1, "a", "x" * 65, 1.5, True])
)

offers = st.fixed_dictionaries(
    {
        "transport": transports,
        "direction": st.sampled_from(["p2p"] * 4 + ["send", 1]),
        "sdp": sdps,
        "generation": generations,
    }
)
answers = st.fixed_dictionaries({"transport": transports, "sdp": sdps, "generation": generations})
trickles = st.fixed_dictionaries(
    {"transport": transports, "generation": generations},
    optional={"candidates": st.lists(candidates, max_size=3), "end": st.sampled_from([True, False, 0])},
)
requests = st.one_of(
    st.tuples(st.just("sdpOffer"), offers),
    st.tuples(st.just("sdpAnswer"), answers),
    st.tuples(st.just("iceCandidate"), trickles),
)
plain = st.tuples(
    st.just("plain"),
    peers,
    st.sampled_from([1, 1, 2, 2, 0]),
    st.sampled_from(["sdpOffer", "sdpOffer", "sdpAnswer", "iceCandidate"]),
    st.sampled_from([0, 0, 1, 1, 1, 2, -1]),
    st.one_of(st.none(), st.integers(0, 9), st.just("a")),
    candidates,
)
"""One of a connection whose generation so far is known."""
trickled = st.tuples(
    st.sampled_from([1, 1, 1, 1, 2]),
    st.sampled_from(["iceCandidate"] * 9 + ["sdpOffer"]),
    st.sampled_from([0, 0, 0, 0, 0, 1, 2]),
    st.sampled_from([None, None, 3, 4, "a"]),
    candidates,
)
burst = st.tuples(st.just("burst"), peers, st.lists(trickled, min_size=2, max_size=14))
"""Messages that come in one piece, most of them candidates for one peer."""
steps = st.one_of(
    plain,
    plain,
    plain,
    burst,
    st.tuples(st.just("request"), peers, receivers, requests, ids, st.integers(0, 3)),
    st.tuples(st.sampled_from(["lose", "resume", "slow"]), peers),
    st.tuples(st.just("wait"), st.sampled_from([0.01, 0.5, 40.0])),
)


class World:
    """A stage with three clients of one room. All requests have a field that the protocol ignores; with `detour` its value is one
    that the short way does not read."""

    def __init__(self, detour: bool) -> None:
        self.detour = detour
        self.stage = Stage(node_settings(limits=LIMITS))
        self.clients = [self.stage.enter(f"user{number}") for number in range(3)]
        self.peers = [client.peer for client in self.clients]
        for client in self.clients:
            client.call("heartbeat", t=0)  # the first request after a join finds the identity's account
        for number in range(3):
            self.do(("plain", number, 1, "sdpOffer", 1, None, ""))  # makes the connection known

    @property
    def room(self) -> Room | None:
        """None once all have been away for too long."""
        rooms: dict[str, Room] = self.stage.plane.sessions.rooms
        return rooms.get("room")

    @property
    def entries(self) -> list[Entry]:
        return [] if self.room is None else list(self.room.log.after(0) or ())

    def do(self, step: tuple[Any, ...]) -> None:
        what, *rest = step
        if what == "wait":
            self.stage.advance(rest[0])
            return
        client = self.clients[rest[0]]
        if what == "lose":
            if client.closed is None:
                client.lose()
        elif what == "resume":
            if client.closed is not None:
                self.clients[rest[0]] = again = self.stage.connect()
                ticket = {"ticket": client.ticket, "lastSeq": client.seq}
                again.request("join", room="room", resume=ticket, token=self.stage.token(f"user{rest[0]}"))
        elif client.closed is not None:
            return
        elif what == "slow":
            client.is_slow = not client.is_slow
        elif what == "plain":
            client.receive(self.plain(client, *rest))
        elif what == "burst":
            client.receive(*(self.plain(client, rest[0], *each) for each in rest[1]))
        else:
            to, (method, params), id, spaces = rest[1:]
            client.receive(self.message(method, params, to, id, spaces))

    def plain(
        self, client: Client, by: int, to: int, method: str, ahead: int, id: Any, candidate: Any
    ) -> bytes:
        to = (by + to) % 3
        pair = sorted((client.peer, self.peers[to]))
        link = self.room.links.get(("p", *pair)) if self.room is not None else None
        known = 0 if link is None else max(link.generation, 0)
        params: dict[str, Any] = {"transport": "p"}
        if method == "iceCandidate":
            params |= {"generation": known + ahead // 2, "candidates": [candidate]}
        else:
            is_offer = method == "sdpOffer"
            params |= {"sdp": SDP, "generation": known + (ahead if is_offer else ahead // 2)}
            params |= {"direction": "p2p"} if is_offer else {}
        return self.message(method, params, to, id, 0)

    def message(self, method: str, params: dict[str, Any], to: Any, id: Any, spaces: int) -> bytes:
        params = dict(params)
        if to is not None:
            params["to"] = self.peers[to] if isinstance(to, int) and to < 3 else to
        request = {"jsonrpc": "2.0", "method": method, "params": params}
        if id is not None:
            request["id"] = id
        params["a field of tomorrow"] = [1] if self.detour else 1
        indent = spaces or None
        separators = (",", ":") if spaces == 0 else None
        return json.dumps(request, indent=indent, separators=separators, ensure_ascii=spaces == 1).encode()

    def state(self) -> Any:
        plane, handler = self.stage.plane, self.stage.plane.messages
        callers = handler._callers.values()
        return {
            "sent": [[_plain(JSON._decode(each, Any)) for each in client.raw] for client in self.clients],
            "closed": [client.closed for client in self.clients],
            "log": [
                (each.seq, each.kind, each.to, _plain(JSON._decode(each.message(JSON, 0), Any)))
                for each in self.entries
            ],
            "links": {
                key: (link.generation, link.offerer, link._offers, link._answered)
                for key, link in (self.room.links.items() if self.room else ())
            },
            "calls": plane.router.calls,
            "seconds": {method: seconds.counts for method, seconds in handler.seconds.items()},
            "errors": handler.errors,
            "meters": [
                (
                    _rounded(each.meter.times),
                    _rounded(each.address.times),
                    each.identity and _rounded(each.identity.times[:4]),
                    each.refusals,
                )
                for each in callers
            ],
        }


def _rounded(times: list[float]) -> list[float]:
    """Ten intervals at once and one by one differ in the last digits."""
    return [round(each, 9) for each in times]


def _plain(message: Any) -> Any:
    """A candidate may say null for what it does not say."""
    if isinstance(message, dict):
        return {key: _plain(value) for key, value in message.items() if value is not None}
    return [_plain(each) for each in message] if isinstance(message, list) else message


EARLY: Final = [("plain", 0, 1, "iceCandidate", 2, None, "early"), ("plain", 0, 1, "sdpOffer", 1, None, "")]
AGAIN: Final = [("plain", 0, 1, "sdpOffer", 1, None, "")]


def framed(log: RoomLog) -> int:
    """How many events it keeps as frames."""
    return sum(isinstance(kept, tuple) for kept in log._tail.newest(len(log)))


@given(st.lists(steps, min_size=5, max_size=60))
@example(EARLY)
@example(AGAIN * 25 + [("wait", 0.5)] + AGAIN)
def test_both_ways_come_to_the_same(script: list[tuple[Any, ...]]) -> None:
    short, long = World(detour=False), World(detour=True)
    for step in script:
        short.do(step)
        long.do(step)
    assert short.state() == long.state()
    assert long.room is None or not framed(long.room.log)


def test_plain_relays_take_the_short_way() -> None:
    world = World(detour=False)
    params = {"transport": "p", "generation": 1, "sdp": SDP}
    assert world.room is not None
    assert not framed(world.room.log), "a connection becomes known on the long way"
    offer = params | {"direction": "p2p", "generation": 2}
    world.clients[0].receive(world.message("sdpOffer", offer, 1, 5, 0))
    world.clients[1].receive(world.message("sdpAnswer", params | {"generation": 2}, 0, None, 2))
    trickle = {"transport": "p", "generation": 2, "candidates": ["candidate:1"]}
    last = world.message("iceCandidate", trickle | {"end": True}, 1, 6, 0)
    before = len(world.clients[1].raw)
    world.clients[0].receive(*[world.message("iceCandidate", trickle, 1, None, 0)] * 2, last)
    assert framed(world.room.log) == 5
    assert world.clients[0].replies[6]["result"] == {}
    assert world.clients[0].replies[5]["result"] == {"delivered": True}
    told = [each["event"] for each in world.clients[1].take()]
    assert told[-4:] == ["transportOffer", "transportIce", "transportIce", "transportIce"]
    assert len(world.clients[1].raw) == before + 3


def test_so_many_are_read_together_at_most_that_refusing_them_one_by_one_stays_linear() -> None:
    world = World(detour=False)
    trickle = {"transport": "p", "generation": 1, "candidates": ["candidate:1"]}
    messages = [world.message("iceCandidate", trickle, 1, None, 0)] * 40
    for start, together in ((0, 16), (30, 10)):
        read = read_relays(messages, start, 1000, 1000)
        assert read is not None
        assert len(read[-1]) == together


@given(st.binary(max_size=200))
def test_no_bytes_make_it_panic(message: bytes) -> None:
    read_relays([message], 0, 1000, 1000)


@given(
    requests,
    st.sampled_from([0, 7, 2**63 - 1, "", "a", "a" * 64]),
    st.integers(0, 10_000),
    st.binary(max_size=2),
    st.integers(0, 100),
)
def test_what_it_reads_is_a_request_that_the_codec_reads(
    request: tuple[str, dict[str, Any]], id: int | str, place: int, bytes_there: bytes, max_sdp: int
) -> None:
    method, params = request
    whole = {"jsonrpc": "2.0", "id": id, "method": method, "params": params | {"to": "a peer"}}
    message = bytearray(JSON._encode(whole))
    at = place % len(message)
    message[at : at + len(bytes_there)] = bytes_there
    read = read_relays([bytes(message)], 0, max_sdp, 0)
    if read is not None:
        method, replies, transport, to, generation, run = read
        decoded = JSON.request(bytes(message))
        assert decoded is not None
        params = decoded.params
        assert decoded.method == method and isinstance(decoded.id, int | str)
        result = DELIVERED if method == "sdpOffer" else EMPTY
        assert (replies, run.replies) == (data_frame(TEXT, JSON.reply(decoded.id, result)), 1)
        assert (params.transport, params.to, params.generation) == (transport, to, generation)
        assert method == "iceCandidate" or len(bytes(params.sdp)) - 2 <= max_sdp
