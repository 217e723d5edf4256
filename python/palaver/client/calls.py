"""Requests that wait for their replies. They outlive a socket: after a resume they are sent again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

from palaver.client.errors import ClientError, RequestRefused, RequestTimeout
from palaver.client.wire import Message

OF_ONE_SOCKET = frozenset({"auth", "join", "heartbeat", "leave"})
"""Methods that make no sense on another socket than the one they were sent on."""


class Call:
    def __init__(self, id: int, method: str, params: dict[str, Any]) -> None:
        self.id = id
        self.method = method
        self.params = params
        self.reply: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.on_result: Callable[[dict[str, Any]], None] = lambda result: None
        """Runs before the next message is looked at: an event that refers to the result may follow at once.
        """


class Calls:
    def __init__(self) -> None:
        self._waiting: dict[int, Call] = {}
        self._last_id = 0

    def new(self, method: str, params: dict[str, Any]) -> Call:
        self._last_id += 1
        call = Call(self._last_id, method, {key: value for key, value in params.items() if value is not None})
        self._waiting[call.id] = call
        return call

    async def wait(self, call: Call, seconds: float) -> dict[str, Any]:
        try:
            async with asyncio.timeout(seconds):
                return await call.reply
        except TimeoutError:
            raise RequestTimeout(f"{call.method}: no answer in {seconds:.3g} s") from None
        finally:
            self._waiting.pop(call.id, None)

    def settle(self, message: Message) -> None:
        """Takes a reply. One that nobody waits for any more is ignored."""
        call = self._waiting.pop(message.id, None) if isinstance(message.id, int) else None
        if call is None or call.reply.done():
            return
        if message.error is not None:
            error = message.error
            data = error.get("data")
            call.reply.set_exception(
                RequestRefused(
                    call.method,
                    int(error.get("code", -32603)),
                    str(error.get("message", "")),
                    data if isinstance(data, dict) else {},
                )
            )
            return
        result = message.result if isinstance(message.result, dict) else {}
        try:
            call.on_result(result)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            call.reply.set_exception(ClientError(f"{call.method}: the answer breaks the protocol: {error!r}"))
            raise
        call.reply.set_result(result)

    def fail(self, error: Exception, *, only: frozenset[str] | None = None) -> None:
        """Ends the calls (of these methods) with an error."""
        for call in list(self._waiting.values()):
            if (only is None or call.method in only) and not call.reply.done():
                del self._waiting[call.id]
                call.reply.set_exception(error)

    def __iter__(self) -> Iterator[Call]:
        return iter(list(self._waiting.values()))
