"""Laws of the gateway: any bytes are accepted or refused with a documented code, however they are cut."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import Any

import pytest
import uvloop
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from palaver.gateway import ClientGateway
from palaver.gateway.assembly import Assembly, Failure
from palaver.gateway.close_codes import Close, close_payload, may_be_sent, parse_close
from palaver.gateway.frame_scanner import FrameScanner
from palaver.gateway.frames import CONTINUATION
from palaver.gateway.handshake import Refusal, Request, Upgrade, decide, parse_request
from palaver.gateway.policy import HandshakePolicy
from palaver.protocol.frames import BINARY, TEXT
from palaver.settings.tree import GatewaySettings
from unit.gateway.raw_websocket import PATIENCE, PING, Answer, RawWebSocket, Recorder, frame, request

DOCUMENTED = {1002, 1003, 1005, 1006, 1007, 1009, 4013}
"""What a client's bytes lead to: the frame errors of RFC 6455 and a ping flood. Any other code is its own CLOSE."""

LIMITS = {"max_message_bytes": 2000, "max_message_bytes_before_auth": 500, "max_fragments": 16}

frames = st.builds(
    frame,
    st.sampled_from([0, 1, 2, 8, 9, 10] * 4 + [3, 11, 15]),
    st.one_of(st.binary(max_size=300), st.text(max_size=80).map(str.encode), st.just(b"x" * 2001)),
    final=st.sampled_from([True, True, False]),
    masked=st.sampled_from([True] * 15 + [False]),
    reserved=st.sampled_from([0] * 15 + [4]),
)
streams = st.one_of(
    st.binary(max_size=2000),
    st.lists(frames, max_size=12).map(b"".join),
    st.binary(max_size=4).map(lambda b: b * 500),
)
TALK = [
    frame(TEXT, b"plain"),
    frame(TEXT, b""),
    frame(TEXT, b"x" * 126),
    frame(TEXT, "\u00fc".encode()),
    frame(PING, b"ping"),
    frame(TEXT, b"in ", final=False) + frame(CONTINUATION, b"parts"),
    frame(TEXT, b"in ", final=False) + frame(PING, b"") + frame(CONTINUATION, b"parts"),
    frame(TEXT, b"in ", final=False) + frame(TEXT, b"another"),
    frame(TEXT, b"close"),
    frame(TEXT, b"x" * 2001),
    frame(TEXT, b"\xff"),
    frame(BINARY, b"plain"),
]
talk = st.lists(
    st.one_of(st.sampled_from(TALK[:7]), st.sampled_from(TALK), frames), min_size=2, max_size=14
).map(b"".join)
"""What a client says that mostly keeps to the rules."""
cuts = st.lists(st.integers(0, 2000), max_size=4)


class Together(Recorder):
    """A recorder that is given at once what came in one piece."""

    def received_together(self, connection: Any, messages: list[bytes]) -> None:
        assert connection.is_open, "nothing comes behind the end"
        for message in messages:
            if connection.is_open:
                self.received(connection, message)


class Node:
    """A gateway on a loop of its own."""

    def __init__(self, trusting: bool) -> None:
        self.runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self.handler = Together(trusting)
        self.gateway = ClientGateway(
            GatewaySettings(port=0, **LIMITS), self.handler, close_seconds=0.05, linger_seconds=0.05
        )

    def __enter__(self) -> Node:
        self.runner.__enter__()
        self.runner.run(self.gateway.start())
        return self

    def __exit__(self, *_: object) -> None:
        self.runner.run(self.gateway.close())
        self.runner.__exit__(None, None, None)

    def run(self, coroutine: Any) -> Any:
        async def bounded() -> Any:
            async with asyncio.timeout(PATIENCE):
                return await coroutine

        return self.runner.run(bounded())

    async def swallow(self, stream: bytes, positions: list[int], first: bytes = b"") -> None:
        """Upgrades, sends the stream in pieces, and goes; then the end must have been reported with a good code."""
        async with RawWebSocket.open(self.gateway) as client:
            if first:
                client.send(first)
                await self.handler.until(lambda: bool(self.handler.messages))
            edges = [0, *sorted(position % (len(stream) + 1) for position in positions), len(stream)]
            for start, end in itertools.pairwise(edges):
                client.send(stream[start:end])
                await asyncio.sleep(0)
            client.writer.write_eof()
            with contextlib.suppress(ConnectionResetError):
                await client.reader.read()
        await self.handler.until(lambda: bool(self.handler.ended))
        (code,) = self.handler.ended
        assert code in DOCUMENTED or may_be_sent(code), code

    async def serve_beside(self, messages: list[bytes], sizes: list[int], strange: list[bytes]) -> None:
        """Echoes messages that come in pieces, while others say strange things between the pieces."""
        stream = b"".join(frame(BINARY, message) for message in messages)
        async with RawWebSocket.open(self.gateway) as client, contextlib.AsyncExitStack() as stack:
            pieces, position = itertools.cycle(sizes), 0
            for said in itertools.cycle(strange):
                stranger = await stack.enter_async_context(RawWebSocket.open(self.gateway))
                stranger.send(said)
                size = next(pieces)
                client.send(stream[position : position + size])
                position += size
                await asyncio.sleep(0)
                if position >= len(stream):
                    break
            for message in messages:
                while (got := await client.next_frame())[0] == PING:
                    pass
                assert got == (BINARY, message)

    async def heard(self, stream: bytes, positions: list[int]) -> dict[str, Any]:
        """What has come of a stream: messages, end, counters."""

        def answer(connection: Any, message: bytes) -> None:
            if message == b"close":
                connection.close(1000)

        self.handler.on_message = answer
        await self.swallow(stream, positions, first=frame(TEXT, b"text it is"))
        counters = self.gateway.counters
        said = ["pings_in", "closes", "handler_errors"]
        if b"close" not in self.handler.messages:  # what is dropped behind it in one piece has been counted
            said += ["messages_in", "bytes_in"]
        return {"messages": self.handler.messages, "ended": self.handler.ended} | {
            name: getattr(counters, name) for name in said
        }

    async def still_serves(self) -> None:
        async with RawWebSocket.open(self.gateway) as client:
            client.send(frame(TEXT, b"still here"))
            assert await client.message() == b"still here"


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_bytes_after_the_upgrade_end_with_a_documented_code_and_the_node_still_serves(
    data: st.DataObject,
) -> None:
    trusting = data.draw(st.booleans())
    stream, positions = data.draw(streams), data.draw(cuts)
    with Node(trusting) as node:
        node.run(node.swallow(stream, positions))
        node.run(node.still_serves())
        assert node.gateway.counters.handler_errors == 0


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(stream=talk, positions=cuts)
@example(stream=frame(TEXT, b"close") + frame(TEXT, b"behind"), positions=[len(frame(TEXT, b"close"))])
def test_plain_messages_taken_at_once_are_those_that_the_parser_finds(
    stream: bytes, positions: list[int]
) -> None:
    with Node(trusting=True) as node:
        quick = node.run(node.heard(stream, positions))
    with pytest.MonkeyPatch.context() as patched, Node(trusting=True) as node:
        patched.setattr("palaver.gateway.frame_reader.take_messages", lambda *_: ([], 0, 0))
        assert node.run(node.heard(stream, positions)) == quick


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    messages=st.lists(st.binary(min_size=1, max_size=400), min_size=1, max_size=6),
    sizes=st.lists(st.integers(20, 500), min_size=1, max_size=5),
    strange=st.lists(streams, min_size=1, max_size=4),
)
def test_what_others_say_between_the_pieces_of_a_message_is_nothing_to_it(
    messages: list[bytes], sizes: list[int], strange: list[bytes]
) -> None:
    with Node(trusting=True) as node:
        node.run(node.serve_beside(messages, sizes, strange))
        assert node.gateway.counters.handler_errors == 0


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=3000),
        st.tuples(st.binary(max_size=40), st.integers(0, 300)).map(
            lambda edit: request()[: edit[1]] + edit[0] + request()[edit[1] + len(edit[0]) :]
        ),
    )
)
def test_any_bytes_as_a_request_are_upgraded_or_refused(raw: bytes) -> None:
    outcome = parse_request(raw.partition(b"\r\n\r\n")[0])
    if isinstance(outcome, Request):
        outcome = decide(
            outcome, "192.0.2.1", HandshakePolicy("/v1", ["https://a.example"], ["192.0.2.0/24"])
        )
    if isinstance(outcome, Refusal):
        assert outcome.status in (400, 403, 404, 405, 426, 431, 505)
        assert Answer(outcome.response()).status == outcome.status
    else:
        assert isinstance(outcome, Upgrade)
        assert Answer(outcome.response()).status == 101


def test_a_request_cut_anywhere_is_neither_upgraded_nor_harmful() -> None:
    with Node(trusting=True) as node:
        for cut in range(1, len(request()), 7):
            reader_closed = node.run(_ask_and_leave(node, request()[:cut]))
            assert reader_closed
        node.run(node.still_serves())


async def _ask_and_leave(node: Node, raw: bytes) -> bool:
    reader, writer = await asyncio.open_connection(*node.gateway.address)
    writer.write(raw)
    writer.write_eof()
    with contextlib.suppress(ConnectionResetError):
        assert await reader.read() == b""
    writer.close()
    return True


# --- the pure parts against simple models ---


@given(st.lists(st.binary(max_size=30), min_size=1, max_size=8), st.booleans())
def test_an_assembled_message_is_its_fragments_or_was_no_text(fragments: list[bytes], text: bool) -> None:
    assembly = Assembly()
    outcome: object = None
    for index, fragment in enumerate(fragments):
        opcode = CONTINUATION if index else TEXT if text else BINARY
        outcome = assembly.add(opcode, index == len(fragments) - 1, fragment, 1000, 100)
        if outcome is not None:
            break
    whole = b"".join(fragments)
    try:
        whole.decode()
        valid = True
    except UnicodeDecodeError:
        valid = False
    if text and not valid:
        assert isinstance(outcome, Failure)
        assert outcome.code == 1007
    else:
        assert outcome == whole


@given(st.lists(frames, max_size=8), st.lists(st.integers(1, 40), max_size=50))
def test_the_scanner_finds_the_same_frames_however_the_stream_is_cut(
    parts: list[bytes], sizes: list[int]
) -> None:
    stream = b"".join(parts)
    ends = []
    scanner, position = FrameScanner(), 0
    pieces = iter(sizes)
    while position < len(stream):
        piece = memoryview(stream)[position : position + next(pieces, len(stream))]
        start = 0
        while start < len(piece):
            stretch = scanner.next(piece, start, 1 << 20)
            assert not stretch.oversized
            assert stretch.end > start
            start = stretch.end
            ends.append(position + start)
        position += len(piece)
    total = 0
    for part in parts:
        total += len(part)
        assert total in ends


@given(st.integers(0, 0xFFFF), st.text(max_size=200))
def test_a_close_that_may_be_sent_reads_back(code: int, reason: str) -> None:
    try:
        payload = close_payload(code, reason)
    except ValueError:
        assert not isinstance(parse_close(code.to_bytes(2, "big")), Close)
        return
    close = parse_close(payload)
    assert isinstance(close, Close)
    assert close.code == code
    assert reason.encode("utf-8", "replace").decode().startswith(close.reason)


@given(st.binary(max_size=130))
def test_any_close_payload_is_read_or_refused(payload: bytes) -> None:
    assert parse_close(payload).code in range(1000, 5000)
