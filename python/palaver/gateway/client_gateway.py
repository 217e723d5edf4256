"""The door for clients: accepts WebSockets and hands each whole message to the handler."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
import time
from collections.abc import Callable

from palaver.errors import SettingsError, StartError
from palaver.gateway.acceptor import Acceptor, Address
from palaver.gateway.connection import WebSocketConnection
from palaver.gateway.counters import GatewayCounters
from palaver.gateway.farewell import ANSWER_SECONDS, NOWHERE, farewell, leave_in_turn
from palaver.gateway.message_handler import Message, MessageHandler, receiver
from palaver.gateway.policy import HandshakePolicy
from palaver.gateway.pull_handler import PullHandler
from palaver.gateway.table import ConnectionTable, Socket
from palaver.gateway.upgrade import HalfOpen
from palaver.protocol.close_codes import CloseCode
from palaver.settings import GatewaySettings
from palaver.signaling.ports import Connection


class ClientGateway:
    """Serves WebSockets at one address, on the running event loop.

    With a handler, call `start` (or `run`, which also serves until `close`): the handler is told of each
    connection, message and end. Without one, `await accept()` for connections, set `authenticated` on those you
    trust (until then a connection is kept for `handshake_seconds` only), and `await connection.receive()`.
    `clock` is monotonic; deadlines are compared with it when the timer wheel ticks. Raises SettingsError.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        handler: MessageHandler | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        token_in_query: bool = False,
        close_seconds: float = 3.0,
        linger_seconds: float = 1.0,
    ) -> None:
        self.settings = settings
        self._pull = PullHandler() if handler is None else None
        self._policy = _policy(settings, token_in_query)
        self._ssl = _ssl_context(settings)
        self.table = ConnectionTable(
            settings,
            handler or self._pull or PullHandler(),
            self.handle_messages,
            clock,
            close_seconds,
            linger_seconds,
        )
        self._receive = receiver(self.table.handler)
        self._acceptor = Acceptor(self._accepted)
        self._address: tuple[str, int] | None = None
        self._closed: asyncio.Event = asyncio.Event()

    @property
    def counters(self) -> GatewayCounters:
        return self.table.counters

    @property
    def paused(self) -> bool:
        """Whether nobody is accepted now, because the process is out of file descriptors."""
        return self._acceptor.paused

    @property
    def pauses(self) -> int:
        """Times that this happened."""
        return self._acceptor.pauses

    @property
    def is_serving(self) -> bool:
        return self._address is not None and not self.table.closing

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that are bound. Only after `start`."""
        if self._address is None:
            raise RuntimeError("the gateway is not started")
        return self._address

    async def start(
        self, host: str | None = None, port: int | None = None, *, own_port: int | None = None
    ) -> None:
        """Begins to listen, by default where the settings say. Raises StartError if the address cannot be had.

        With `own_port` the port is shared with other processes, and this one alone listens at its own beside it.
        """
        if self._address is not None:
            raise RuntimeError("the gateway is started already")
        host = self.settings.host if host is None else host
        port = self.settings.port if port is None else port
        self.table.start()
        at = port
        try:
            if own_port is not None:
                at = own_port
                await self._acceptor.listen(
                    host, own_port, shared=True
                )  # with its supervisor, which keeps it
                at = port
            self._address = await self._acceptor.listen(host, port, shared=own_port is not None)
        except OSError as error:
            self.table.stop()
            raise StartError(_cannot_listen(host, at, error)) from error

    def reconfigure(self, settings: GatewaySettings, *, token_in_query: bool = False) -> None:
        """Takes other settings; host, port, path, intervals, and whether there is TLS at all, must be the same.

        Reads the certificate again: handshakes from now on see it, connections go on. Raises SettingsError, having
        changed nothing.
        """
        policy, context = _policy(settings, token_in_query), _ssl_context(settings)
        self._policy, self._ssl = policy, context
        self.settings = settings
        self.table.reconfigure(settings)

    async def run(self, host: str | None = None, port: int | None = None) -> None:
        """Serves until `close` is called; cancelled, it closes with 4001 first."""
        await self.start(host, port)
        try:
            await self._closed.wait()
        finally:
            await self.close()

    async def drain(self, seconds: float) -> None:
        """Lets nobody new in (503) and sends those here away with 4001, one after the other over `seconds`.

        The reason of the close lists `settings.alternatives`. Returns when all are gone, at the latest a second after
        the last goodbye; who has not answered then is torn down as after any close. To call it off, cancel this and
        call `undrain`.
        """
        table = self.table
        table.draining = True
        oldest_first = sorted(table.sockets, key=lambda socket: socket.id)
        alternatives = self.settings.alternatives

        def say(socket: Socket) -> None:
            socket.close(CloseCode.SHUTDOWN, farewell(alternatives, socket.id))

        await leave_in_turn(oldest_first, say, seconds)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_SECONDS):
                await table.emptied()

    def undrain(self) -> None:
        """Lets clients in again."""
        self.table.draining = False

    async def close(
        self,
        code: int = CloseCode.SHUTDOWN,
        reason: str = NOWHERE,
        spread_seconds: float = 0.0,
        patience_seconds: float | None = None,
    ) -> None:
        """Stops listening and closes every connection with `code`.

        The closes are spread over `spread_seconds`, so that the clients do not all come back at once. Waits until
        all are gone, at most for `patience_seconds` (the time that closing handshakes may take), and tears down
        the rest. A second call need not wait for the first: it closes at once what that has left open.
        """
        table = self.table
        if self._address is None or self._closed.is_set():
            return
        table.closing = True
        self._acceptor.close()
        await leave_in_turn(list(table.sockets), lambda socket: socket.close(code, reason), spread_seconds)
        for half_open in list(table.half_open):
            half_open.due(table.clock())
        patience = (
            table.close_seconds + table.linger_seconds if patience_seconds is None else patience_seconds
        )
        try:
            async with asyncio.timeout(patience):
                await table.emptied()
        except TimeoutError:
            table.abort_all()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(table.linger_seconds):
                    await table.emptied()  # within a loop turn
        table.stop()
        if self._pull is not None:
            self._pull.accepted.end()
        self._closed.set()

    async def accept(self) -> WebSocketConnection | None:
        """Waits for the next connection; None once the gateway is closed. Only without a handler."""
        if self._pull is None:
            raise RuntimeError("accept() is for a ClientGateway without a handler")
        return await self._pull.accepted.take()

    def handle_message(self, websocket: Connection, message: Message) -> None:
        """Gives one whole message to the handler. What that raises ends here: logged, counted, closed with 1011."""
        self.handle_messages(websocket, [message])

    def handle_messages(self, websocket: Connection, messages: list[Message]) -> None:
        """The same for messages that came in one piece."""
        try:
            self._receive(websocket, messages)
        except Exception:
            self.table.handler_failed(websocket)

    def _accepted(self, client: socket.socket, address: Address) -> None:
        HalfOpen(self.table, self._policy, self._connected, address[0]).open(client, self._ssl)

    def _connected(self, connection: WebSocketConnection) -> None:
        try:
            self.table.handler.connected(connection)
        except Exception:
            self.table.handler_failed(connection)


def _policy(settings: GatewaySettings, token_in_query: bool) -> HandshakePolicy:
    return HandshakePolicy(settings.path, settings.origins, settings.trusted_proxies, token_in_query)


def _ssl_context(settings: GatewaySettings) -> ssl.SSLContext | None:
    if not settings.tls_certificate:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key or None)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"gateway.tls_certificate, gateway.tls_key: cannot use {settings.tls_certificate}"
            f" with {settings.tls_key or 'itself'}: {error}"
        ) from error
    return context


def _cannot_listen(host: str, port: int, error: OSError) -> str:
    where = f"cannot listen on {host}:{port}"
    if error.errno == errno.EADDRINUSE:
        return f"{where}: the port is taken; stop the program that has it, or set another gateway.port"
    if error.errno == errno.EACCES:
        return f"{where}: not permitted; choose a gateway.port above 1023, or grant CAP_NET_BIND_SERVICE"
    return f"{where}: {error.strerror or error}; set gateway.host to an address of this machine"
