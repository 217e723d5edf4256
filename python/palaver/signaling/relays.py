"""Relays: the short way of what one peer sends another, which is nearly all that a call without a media node says.

It takes the same steps as the long way (message handler, router, admission, transport handler, room) in one function, for
requests that need no closer look: JSON, a peer-to-peer connection that is known, a receiver who listens. SDP and candidates
are checked and passed on as they stand; candidates that came together are decided together. All else is left to the long way,
with nothing changed; a test holds both to the same replies, events and state. It takes half the time, and a tenth for each
of ten candidates.
"""

from __future__ import annotations

from collections.abc import Callable

from palaver.core import read_relays
from palaver.observe import Histogram
from palaver.settings import LiveSettings
from palaver.signaling.admission import LARGE_BYTES, RELAY_RATES, AdmissionController
from palaver.signaling.message import Caller


class Relays:
    """`calls` and `seconds` are the counters of the long way: how many requests, and how long they took, by method."""

    def __init__(
        self,
        admission: AdmissionController,
        settings: LiveSettings,
        calls: dict[str, int],
        seconds: dict[str, Histogram],
        clock: Callable[[], float],
    ) -> None:
        self._admission = admission
        self._settings = settings
        self._calls = calls
        self._seconds = seconds
        self._clock = clock

    def take(self, caller: Caller, messages: list[bytes], start: int) -> int:
        """Decides the message at `start` if it is such a relay, and those behind it that belong to it. Returns how many; 0:
        nothing has changed."""
        session = caller.session
        room, participant = session.room, session.participant
        if room is None or participant is None or session.state != "joined":
            return 0
        read = read_relays(messages, start, self._settings.limits.sdp_bytes, LARGE_BYTES)
        if read is None:
            return 0
        method, replies, transport, to, generation, run = read
        other = room.participants.get(to)
        if other is None or other is participant:
            return 0
        sink = other.session.sink
        if sink is None or sink.binary or other.session.corked or sink.is_slow:
            return 0
        peer = participant.peer
        link = room.links.find(transport, peer, to)
        if link is None:
            return 0
        if method == "iceCandidate":
            is_next = generation == link.generation
        elif method == "sdpOffer":
            is_next = link.is_next_offer(peer, to, generation)
        else:
            is_next = link.is_next_answer(peer, generation)
        now, count = self._clock(), len(run)
        if not (is_next and self._admission.admits(caller, RELAY_RATES[method], now, count)):
            return 0
        if method == "sdpOffer":
            link.take_offer(peer, generation)
        elif method == "sdpAnswer":
            link.take_answer(peer, generation)
        self._calls[method] += count
        caller.refusals = 0
        if replies is not None:
            caller.connection.send_frame(replies, False, run.replies)
        room.pass_on(run, peer, other, sink)
        self._seconds[method].observe((self._clock() - now) / count, count)
        return count
