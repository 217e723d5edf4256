"""A WebSocket client that does exactly what a test tells it, and a gateway to point it at."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, ParamSpec

import uvloop

from palaver.gateway import ClientGateway
from palaver.gateway.message_handler import Message
from palaver.settings.tree import GatewaySettings
from palaver.signaling.ports import Connection

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
PATIENCE = 10.0
"""Seconds until a test gives up; nothing here should take a tenth of it."""

P = ParamSpec("P")


def on_uvloop(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Runs an async test on the loop that the node runs on."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def within_patience() -> None:
            async with asyncio.timeout(3 * PATIENCE):
                await test(*args, **kwargs)

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(within_patience())

    return run


class Clock:
    """Time that moves when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def until(condition: Callable[[], bool]) -> None:
    """Lets the loop turn until it holds: for what nobody reports."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0)


class Recorder:
    """A handler that trusts everybody, notes everything and echoes, unless told otherwise."""

    def __init__(self, trusting: bool = True, echo: bool = True) -> None:
        self.trusting = trusting
        self.echo = echo
        self.connections: list[Any] = []
        self.messages: list[bytes] = []
        self.ended: list[int] = []
        self.on_message: Callable[[Any, bytes], None] | None = None
        self._news = asyncio.Event()

    def connected(self, connection: Connection) -> None:
        connection.authenticated = self.trusting
        self.connections.append(connection)
        self._news.set()

    def received(self, connection: Connection, message: Message) -> None:
        self.messages.append(bytes(message))
        if self.on_message is not None:
            self.on_message(connection, bytes(message))
        elif self.echo:
            connection.send(bytes(message))
        self._news.set()

    def disconnected(self, connection: Connection, code: int) -> None:
        self.ended.append(code)
        self._news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits until something was reported that makes the condition true."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._news.clear()
                await self._news.wait()


@contextlib.asynccontextmanager
async def serving(
    handler: Any = None,
    clock: Callable[[], float] | None = None,
    token_in_query: bool = False,
    close_seconds: float = 0.5,
    **settings: Any,
) -> AsyncIterator[ClientGateway]:
    """A gateway on a free port, closed afterwards."""
    arguments: dict[str, Any] = {} if clock is None else {"clock": clock}
    gateway = ClientGateway(
        GatewaySettings(port=0, **settings),
        handler,
        token_in_query=token_in_query,
        close_seconds=close_seconds,
        linger_seconds=0.2,
        **arguments,
    )
    await gateway.start()
    try:
        yield gateway
    finally:
        await gateway.close()


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    final: bool = True,
    masked: bool = True,
    reserved: int = 0,
    length_code: int | None = None,
) -> bytes:
    """A client's frame, as broken as wanted; `length_code` 126 or 127 makes a longer length field than needed."""
    size = len(payload)
    code = length_code if length_code is not None else size if size < 126 else 126 if size < 65536 else 127
    length = {126: struct.pack("!H", size & 0xFFFF), 127: struct.pack("!Q", size)}.get(code, b"")
    head = bytes(((0x80 if final else 0) | reserved << 4 | opcode, (0x80 if masked else 0) | code)) + length
    if not masked:
        return head + payload
    mask = b"\x12\x34\x56\x78"
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


def close_frame(code: int, reason: bytes = b"") -> bytes:
    return frame(CLOSE, struct.pack("!H", code) + reason)


DEFAULT_HEADERS = (
    ("Host", "localhost"),
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", KEY),
    ("Sec-WebSocket-Version", "13"),
)


def request(
    target: str = "/v1",
    *,
    method: str = "GET",
    version: str = "HTTP/1.1",
    without: Sequence[str] = (),
    replace: dict[str, str] | None = None,
    extra: Sequence[tuple[str, str]] = (),
) -> bytes:
    """An upgrade request; by default a good one."""
    replace = replace or {}
    lines = [f"{method} {target} {version}"]
    lines += [f"{name}: {replace.get(name, value)}" for name, value in DEFAULT_HEADERS if name not in without]
    lines += [f"{name}: {value}" for name, value in extra]
    return "\r\n".join(lines).encode("utf-8") + b"\r\n\r\n"


class Answer:
    """An HTTP response head with what followed it."""

    def __init__(self, data: bytes) -> None:
        head, _, self.body = data.partition(b"\r\n\r\n")
        status_line, *lines = head.decode().split("\r\n")
        self.status = int(status_line.split(" ")[1]) if status_line else 0
        self.headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}


async def ask(gateway: ClientGateway, raw: bytes) -> Answer:
    """Sends raw bytes and reads until the gateway closes; status 0 where it closed without an answer."""
    reader, writer = await asyncio.open_connection(*gateway.address)
    try:
        writer.write(raw)
        async with asyncio.timeout(PATIENCE):
            data = b""
            with contextlib.suppress(ConnectionResetError):
                while piece := await reader.read(65536):
                    data += piece
        return Answer(data)
    finally:
        writer.close()


class RawWebSocket:
    """An upgraded client socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer) -> None:
        self.reader = reader
        self.writer = writer
        self.answer = answer

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls, gateway: ClientGateway, raw: bytes | None = None, then: bytes = b"", ssl: Any = None
    ) -> AsyncIterator[RawWebSocket]:
        """Upgrades; `then` goes out in the same segment as the request."""
        reader, writer = await asyncio.open_connection(*gateway.address, ssl=ssl)
        try:
            writer.write((request() if raw is None else raw) + then)
            async with asyncio.timeout(PATIENCE):
                answer = Answer(await reader.readuntil(b"\r\n\r\n"))
            assert answer.status == 101, answer.status
            yield cls(reader, writer, answer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def send(self, *frames: bytes) -> None:
        self.writer.write(b"".join(frames))

    async def next_frame(self) -> tuple[int, bytes]:
        """The next frame as (opcode, payload); it must be final and unmasked."""
        async with asyncio.timeout(PATIENCE):
            first, second = await self.reader.readexactly(2)
            assert first & 0xF0 == 0x80, "the gateway neither fragments nor uses reserved bits"
            assert second < 0x80, "a server does not mask"
            size = second
            if size == 126:
                (size,) = struct.unpack("!H", await self.reader.readexactly(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
            return first & 0x0F, await self.reader.readexactly(size)

    async def message(self) -> bytes:
        """The payload of the next data frame."""
        opcode, payload = await self.next_frame()
        assert opcode in (TEXT, BINARY), opcode
        return payload

    async def close_code(self) -> int:
        """Skips to the CLOSE frame and returns its code; 1005 for none."""
        while True:
            opcode, payload = await self.next_frame()
            if opcode == CLOSE:
                self.reason = payload[2:].decode()
                return struct.unpack("!H", payload[:2])[0] if payload else 1005

    async def ended(self) -> None:
        """Waits until the gateway closes its side; nothing else may come."""
        async with asyncio.timeout(PATIENCE):
            with contextlib.suppress(ConnectionResetError):
                assert await self.reader.read() == b""
