"""What it costs to admit a decoded request and to find its handler (pytest-benchmark)."""

from __future__ import annotations

from bench_room import Room
from msgspec import Raw
from pytest_benchmark.fixture import BenchmarkFixture

from palaver.protocol.codec import JSON
from palaver.protocol.errors import ProtocolError
from palaver.protocol.methods.session import Empty, Heartbeat
from palaver.signaling.message import Message
from palaver.signaling.router import SignalingRouter


def request(room: Room, method: str, params: bytes) -> Message:
    caller = room.messages._callers[room.sinks[0].id]
    return Message(caller, JSON, method, 7, room.stage.now, len(params), raw=Raw(params))


def test_admit(benchmark: BenchmarkFixture) -> None:
    room = Room(1)
    message = request(room, "heartbeat", b'{"t":1}')
    benchmark(lambda: room.stage.plane.admission.validate(message))


def test_admit_what_is_relayed(benchmark: BenchmarkFixture) -> None:
    """With the charge for its bytes."""
    room = Room(1)
    message = request(room, "iceCandidate", b'{"transport":"p","generation":1}')
    benchmark(lambda: room.stage.plane.admission.validate(message))


def test_route(benchmark: BenchmarkFixture) -> None:
    """From the envelope to a handler that does nothing: admission, params, look-up."""
    room = Room(1)
    plane = room.stage.plane
    router = SignalingRouter([_Idle(plane.router)], plane.admission)

    def route() -> object:
        return router.route(request(room, "heartbeat", b'{"t":1}'))

    assert benchmark(route) is _Idle.NOTHING


def test_refuse_an_unknown_method(benchmark: BenchmarkFixture) -> None:
    room = Room(1)
    message = request(room, "selfDestruct", b"{}")

    def refuse() -> str:
        try:
            room.stage.plane.router.route(message)
        except ProtocolError as error:
            return error.reason
        return ""

    assert benchmark(refuse) == "method_not_found"


class _Idle:
    """A handler for every method that decides nothing."""

    NOTHING = Empty()

    def __init__(self, router: SignalingRouter) -> None:
        self.routes = dict.fromkeys(router.calls, self.decide)

    def decide(self, message: Message, params: Heartbeat) -> Empty:
        return self.NOTHING
