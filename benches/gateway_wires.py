"""How the servers beside palaver's gateway are spoken to, and the same work in the words of each."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import NamedTuple
from xml.sax.saxutils import escape

from palaver.bench.plan import Client, Flow, Message, Part, Plan, Stage, Step, Timing
from palaver.bench.sdp import candidate, offer

MESSAGE_BYTES = 2048
BURST = 10
ACTIVE_PAIRS = 64
"""That relay while all others are idle."""
PER_SOURCE = 20_000
"""Connections from one address; it has some 28,000 ports."""


class Wire(NamedTuple):
    """How a client of a server gets in and talks. Messages are made of pieces around the number (`...`)."""

    target: Callable[[str, str], str]
    """(id, room) → request target."""
    relayed: Callable[[int | str, bytes], tuple[Part, ...]]
    """(index of whom it is for, or "*"; JSON of the body without braces) → message."""
    arrival: bytes
    opening: Callable[[str], tuple[Step, ...]] = lambda id: ()
    headers: str = ""
    reply: bytes | None = None
    error: bytes = b""
    keepalive: tuple[bytes, bytes] | None = None
    to_itself: bool = False
    """The server relays nothing: what arrives goes to whoever asked."""


def _around(before: str, after: str) -> Callable[[int | str, bytes], tuple[Part, ...]]:
    def relayed(to: int | str, body: bytes) -> tuple[Part, ...]:
        head, _, tail = body.partition(b'"#"')
        return (before.replace("TO", str(to)).encode() + head, ..., tail + after.encode())

    return relayed


def _query(id: str, room: str) -> str:
    return f"/?id={id}&room={room}"


def _said(text: str) -> Message:
    return Message((text.encode(),))


RAW = Wire(_query, _around('{"to":"TO",', "}"), b'"type":"x"')
SOCKET_IO = Wire(
    lambda id, room: f"/socket.io/?EIO=4&transport=websocket&id={id}&room={room}",
    _around('42["relay",{"to":"TO",', "}]"),
    b'42["relay"',
    opening=lambda id: (Step(b'0{"sid"'), Step(b'40{"sid"', _said("40"))),
    error=b"44{",
    keepalive=(b"2", b"3"),
)
PROTOO = Wire(
    _query,
    _around('{"notification":true,"method":"relay","data":{"to":"TO",', "}}"),
    b'"method":"relay"',
    headers="Sec-WebSocket-Protocol: protoo\r\n",
)
PROTOO_REQUEST = PROTOO._replace(
    relayed=lambda to, body: (
        b'{"request":true,"id":',
        ...,
        *_around(',"method":"relay","data":{"to":"TO",', "}}")(to, body),
    ),
    reply=b'"response":true',
    error=b'"ok":false',
)
PEERJS = Wire(
    lambda id, room: f"/peerjs?key=peerjs&id={id}&token=t&version=1",
    _around('{"type":"OFFER","dst":"TO","payload":{', "}}"),
    b'"type":"OFFER"',
    opening=lambda id: (Step(b'"OPEN"'),),
    error=b'"type":"ERROR"',
)


CENTRIFUGE = Wire(
    _query,
    lambda to, body: (
        b'{"id":',
        ...,
        *_around(',"publish":{"channel":"TO","data":{', "}}}")(to, body),
    ),
    b'"pub":{"data"',
    opening=lambda id: (Step(b'"connect":{', _said('{"id":1,"connect":{}}')),),
    reply=b'"publish":{}',
    error=b'"error":{"code"',
    keepalive=(b"{}", b"{}"),
)


def _janus_session(index: int | str) -> int:
    """Janus lets a client choose the number of its session, which is from 1."""
    return int(index) + 1


def _janus_opening(id: str) -> tuple[Step, ...]:
    session = _janus_session(id)
    attach = f'{{"janus":"attach","plugin":"janus.plugin.echotest","transaction":"a","session_id":{session}}}'
    return (
        Step(b'"success"', _said(f'{{"janus":"create","transaction":"c","id":{session}}}')),
        Step(b'"success"', _said(attach), capture=b'"data":{"id":'),
    )


def _janus_request(own: int | str, body: bytes) -> tuple[Part, ...]:
    """The handle was captured. The plugin is given the body, which is parsed as all is, and uses none of it."""
    assert isinstance(own, int)
    begin = f'{{"janus":"message","session_id":{_janus_session(own)},"transaction":"'
    tail = b',"body":{' + body.replace(b'"#"', b"0") + b"}}"
    return (begin.encode(), ..., b'","handle_id":', own, tail)


JANUS = Wire(
    lambda id, room: "/",
    _janus_request,
    b'"janus":"event"',
    opening=_janus_opening,
    headers="Sec-WebSocket-Protocol: janus-protocol\r\n",
    reply=b'"janus":"ack"',
    error=b'"janus":"error"',
    to_itself=True,
)

_OPEN = '<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" to="localhost" version="1.0"/>'
_BIND = '<iq xmlns="jabber:client" type="set" id="b"><bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"/></iq>'
_AUTH = '<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="ANONYMOUS"/>'


def _stanza(to: int | str, body: bytes) -> tuple[Part, ...]:
    """What the body says, as XML: its SDP is what is relayed."""
    sdp = json.loads(b"{" + body + b"}")["sdp"]
    text = escape(sdp, {"\r": "&#13;"})
    assert isinstance(to, int)
    return (
        b'<message xmlns="jabber:client" type="chat" to="',
        to,
        b'" id="',
        ...,
        b'"><body>' + text.encode() + b"</body></message>",
    )


XMPP = Wire(
    lambda id, room: "/xmpp-websocket",
    _stanza,
    b"<message",
    opening=lambda id: (
        Step(b"ANONYMOUS", _said(_OPEN)),
        Step(b"<success", _said(_AUTH)),
        Step(b"xmpp-bind", _said(_OPEN)),
        Step(b"<jid>", _said(_BIND), capture=b"<jid>"),
    ),
    headers="Sec-WebSocket-Protocol: xmpp\r\n",
    error=b"<failure",
)

SDP = json.dumps(offer(MESSAGE_BYTES))
BODIES = {
    "relay": f'"type":"x","sdp":{SDP},"generation":"#"'.encode(),
    "trickle": f'"type":"x","candidate":{json.dumps(candidate(200))},"sdpMid":"0","n":"#"'.encode(),
    # ASCII, which V8 writes as it is: palaver's lock has half as many letters of two bytes, because it allows 1,024.
    "fanout": f'"type":"x","message":"{"m" * MESSAGE_BYTES}","n":"#"'.encode(),
}


def rival_plan(
    wire: Wire, port: int, work: str, size: int, timing: Timing, rate: float | None = None
) -> Plan:
    """The same work as one of palaver's scenarios.

    `size`: pairs of relay and trickle, members of fanout's room, clients of joins, sessions of idle (which relay
    between 64 pairs at a rate, while the others are silent).
    """
    count = {"relay": 2 * size, "trickle": 2 * size}.get(work, size)
    churns = 0 if work == "joins" else None
    clients = tuple(
        Client(
            wire.target(str(index), str(0 if work == "fanout" else index // 2)),
            wire.headers,
            wire.opening(str(index)),
            churns=churns,
            # Not where our own clients come from: bound to one address, 30,000 do not find a port each.
            source=f"127.0.1.{index // PER_SOURCE + 1}",
        )
        for index in range(count)
    )
    pairs = {"relay": size, "trickle": size, "idle": ACTIVE_PAIRS}.get(work, 0)
    ends: list[tuple[int, tuple[int, ...], int | str]] = [
        (2 * pair, (2 * pair + 1,), 2 * pair + 1) for pair in range(pairs)
    ]
    if wire.to_itself:
        ends = [(2 * pair, (2 * pair,), 2 * pair) for pair in range(pairs)]
    if work == "fanout":
        ends = [(0, tuple(range(1, size)), "*")]
    body = BODIES["relay" if work == "idle" else work] if ends else b""
    flows = tuple(
        Flow(
            stage=0,
            sender=sender,
            receivers=receivers,
            messages=(Message(wire.relayed(to, body)),),
            arrival=wire.arrival,
            reply=wire.reply,
            burst=BURST if work == "trickle" else 1,
        )
        for sender, receivers, to in ends
    )
    window = 1 if rate is None and work != "joins" else None
    stage = Stage(work, window=window, rate=rate, churn=work == "joins")
    authority = f"127.0.0.1:{port}"
    return Plan(
        "127.0.0.1",
        port,
        authority,
        clients,
        (stage,),
        flows,
        timing,
        error=wire.error,
        keepalive=wire.keepalive,
    )
