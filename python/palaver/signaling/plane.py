"""SignalingPlane: the signaling side put together. Give it a clock, chance and media nodes; plug it into a gateway."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from palaver.rooms.observer import Observer
from palaver.rooms.session_manager import SessionManager
from palaver.settings import LiveSettings, Settings
from palaver.signaling.administration import Administration
from palaver.signaling.admission import AdmissionController
from palaver.signaling.handlers.auth import AuthHandler
from palaver.signaling.handlers.consumer import ConsumerHandler
from palaver.signaling.handlers.diagnostics import DiagnosticsHandler
from palaver.signaling.handlers.media_control import MediaControlHandler
from palaver.signaling.handlers.producer import ProducerHandler
from palaver.signaling.handlers.room_admin import RoomAdminHandler
from palaver.signaling.handlers.session import SessionHandler
from palaver.signaling.handlers.transport import TransportHandler
from palaver.signaling.keys import load_keys
from palaver.signaling.message_handler import SignalingMessageHandler
from palaver.signaling.negotiation import Negotiation, Within
from palaver.signaling.ports import (
    Answer,
    Ledger,
    MediaNode,
    RoomDirectory,
    Tracer,
    TransportHandle,
    TransportState,
)
from palaver.signaling.publishing import Publishing
from palaver.signaling.router import SignalingRouter
from palaver.signaling.rulings import Rulings
from palaver.signaling.stream_router import StreamRouter
from palaver.signaling.tokens import TokenVerifier


async def _patient(work: Awaitable[Answer]) -> Answer:
    return await work


class SignalingPlane:
    """Composes sessions, handlers, router and message handler; is also the MediaEvents of its media nodes.

    `clock` is monotonic seconds, `wall` seconds since the Unix epoch, `entropy(n)` n random bytes, `spawn` runs a
    coroutine, and `drain(seconds)` makes the node refuse new clients for a while.
    Call `sessions.advance(now)` at least every 100 ms.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        node: str,
        version: str,
        directory: RoomDirectory,
        media: Mapping[str, MediaNode],
        ledger: Ledger,
        clock: Callable[[], float],
        wall: Callable[[], float],
        entropy: Callable[[int], bytes],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        drain: Callable[[float], None],
        observer: Observer | None = None,
        tracer: Tracer | None = None,
        within: Within = _patient,
    ) -> None:
        live = self._settings = LiveSettings(settings)
        self.sessions = SessionManager(live.limits, live.rooms, entropy, directory.owner, clock, observer)
        self.streams = StreamRouter(self.sessions, media, live, wall)
        self.verifier = TokenVerifier(settings.auth, wall)
        publishing = Publishing(self.sessions, self.streams, live)
        negotiation = Negotiation(self.streams, live, within)
        server = {"node": node, "region": settings.node.region, "version": version}
        self.admission = AdmissionController(live)
        self.rulings = Rulings(ledger, live)
        self.administration = Administration(self.sessions, self.rulings, wall)
        self.auth = auth = AuthHandler(
            self.verifier, self.rulings, self.sessions, self.streams, live, server, clock, wall
        )
        handlers = (
            auth,
            SessionHandler(
                self.sessions,
                self.streams,
                publishing,
                negotiation,
                live,
                wall,
                auth,
                self.rulings,
                self.admission.charge_join,
                directory.elsewhere,
            ),
            ProducerHandler(publishing),
            ConsumerHandler(self.sessions, self.streams, publishing, live),
            TransportHandler(self.streams, publishing, negotiation, live),
            MediaControlHandler(self.sessions, self.streams, live),
            RoomAdminHandler(self.administration),
            DiagnosticsHandler(self.sessions, self.streams, directory, live, node, clock, wall, drain),
        )
        self.router = SignalingRouter(handlers, self.admission)
        self.messages = SignalingMessageHandler(
            self.router, self.admission, self.sessions, auth, live, clock, spawn, tracer
        )

    def prepare(self, settings: Settings) -> Callable[[], None]:
        """Makes ready for new settings; the call that it returns puts them in force and cannot fail.

        Raises SettingsError for a key that cannot be used.
        """
        keys = load_keys(settings.auth)

        def apply() -> None:
            self._settings.replace(settings)
            self.sessions.limits, self.sessions.settings = settings.limits, settings.rooms
            self.verifier.configure(settings.auth, keys)
            self.admission.configure()

        return apply

    def transport_state(self, handle: TransportHandle, state: TransportState) -> None:
        """A media node reports that a transport's state changed; its owner is told."""
        room = self.sessions.rooms.get(handle.room)
        participant = room.participants.get(handle.peer) if room is not None else None
        transport = participant.transports.get(handle.transport) if participant is not None else None
        if state == "closed":
            state = "failed"  # the client knows four states; from this one, too, it makes a new offer
        if room is None or transport is None or transport.state == state:
            return
        transport.state = state
        room.tell_transport_state(handle.peer, transport)
        self.sessions.deliver_all()
