"""SignalingRouter: one table from method to handler. Adding a verb is adding a row to a handler's `routes`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, Protocol

from msgspec import Struct

from palaver.protocol.errors import ProtocolError
from palaver.protocol.methods.table import METHODS
from palaver.signaling.admission import WORK_PER_REQUEST, AdmissionController
from palaver.signaling.message import Message

Outcome = Struct | Coroutine[Any, Any, Struct]
"""A result, or a coroutine that asks the media node first and then returns one."""
Verb = Callable[[Message, Any], Outcome]


class Handler(Protocol):
    """Decides a group of methods. Does no I/O: changes one room, returns the result."""

    @property
    def routes(self) -> Mapping[str, Verb]: ...


class SignalingRouter:
    def __init__(self, handlers: Iterable[Handler], admission: AdmissionController) -> None:
        """Raises ValueError where two handlers claim a method, or a method of METHODS has none."""
        self._admission = admission
        self._verbs: dict[str, Verb] = {}
        for handler in handlers:
            for method, verb in handler.routes.items():
                if method in self._verbs or method not in METHODS:
                    raise ValueError(f"{method} is routed twice, or is not in METHODS")
                self._verbs[method] = verb
        if missing := METHODS.keys() - self._verbs.keys():
            raise ValueError(f"no handler for {', '.join(sorted(missing))}")
        self.calls = dict.fromkeys(METHODS, 0)

    def route(self, message: Message) -> Outcome:
        """Admits a message, decodes its params and directs it to its handler. Raises ProtocolError; then nothing changed."""
        method = message.method
        verb = self._verbs.get(method)
        if verb is None:
            raise ProtocolError("method_not_found", f"there is no method {method!r}")
        self.calls[method] += 1
        self._admission.validate(message)
        params = message.params
        if params is None:
            params = message.params = message.codec.params_of(message.raw, METHODS[method].params)
        outcome = verb(message, params)
        if message.work >= WORK_PER_REQUEST:
            self._admission.charge_work(message)
        return outcome
