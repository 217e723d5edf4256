"""MediaControlHandler: runtime control and quality."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import Final, Literal

from palaver.protocol import events
from palaver.protocol.errors import ProtocolError
from palaver.protocol.methods.media_control import (
    MediaError,
    MediaErrorResult,
    NetworkQuality,
    NetworkQualityResult,
    Stats,
    StatsResult,
)
from palaver.protocol.methods.session import Empty
from palaver.rooms.media import Consumer, Producer
from palaver.rooms.participant import Participant
from palaver.rooms.quality import score
from palaver.rooms.room import Room
from palaver.rooms.session_manager import SessionManager
from palaver.rooms.statistics import Measured
from palaver.settings import LiveSettings
from palaver.signaling.message import Message
from palaver.signaling.muting import mute, unmute
from palaver.signaling.router import Verb
from palaver.signaling.stream_router import StreamRouter

log = logging.getLogger(__name__)

NOT_OURS: Final = frozenset(
    {
        "AbortError",
        "NotAllowedError",
        "NotFoundError",
        "NotReadableError",
        "OverconstrainedError",
        "SecurityError",
        "TypeError",
    }
)
"""Failures of getUserMedia (mediacapture-streams § 10.2): no network can mend a camera."""
ERROR_WINDOW: Final = 30.0
"""Seconds within which errors of one participant climb the ladder of advice."""
ERRORS_TOLD: Final = 10
"""Errors of one participant within that time that an operator is told of (INFO); the others are logged at DEBUG."""

Advice = Literal["ice_restart", "turn_tls", "rejoin", "none"]


class MediaControlHandler:
    def __init__(self, sessions: SessionManager, streams: StreamRouter, settings: LiveSettings) -> None:
        self._sessions = sessions
        self._settings = settings
        self._streams = streams

    @property
    def routes(self) -> Mapping[str, Verb]:
        return {
            "mute": mute,
            "unmute": unmute,
            "networkQuality": self.quality,
            "videoStats": partial(self.stats, "video"),
            "audioStats": partial(self.stats, "audio"),
            "mediaError": self.error,
        }

    # --- quality and statistics ---

    def quality(self, message: Message, params: NetworkQuality) -> NetworkQualityResult:
        """A report of one's own connection, or (with `peer`) a look at another's."""
        room, participant = message.seat
        if params.peer is not None and params.peer != participant.peer:
            other = room.participants.get(params.peer)
            if other is None or other.hidden:
                raise ProtocolError("not_found", "there is no such peer in this room", path="$.peer")
            return NetworkQualityResult(other.quality.score, other.quality.trend)
        losses = [loss for loss in (params.loss_up, params.loss_down) if loss is not None]
        quality = participant.quality
        if losses or params.rtt_ms is not None or params.jitter_ms is not None:
            quality.report(score(params.rtt_ms or 0.0, params.jitter_ms or 0.0, max(losses, default=0.0)))
            self._tell_quality(room, participant, message.now)
        return NetworkQualityResult(quality.score, quality.trend)

    def _tell_quality(self, room: Room, participant: Participant, now: float) -> None:
        """Tells a changed bucket, now or as soon as 2 s have passed since the last: the last change is not lost."""
        quality = participant.quality
        quality.waiting = quality.waiting and now < quality.next_telling
        if participant.hidden or participant.session.room is not room or quality.score is None:
            return
        if quality.to_tell(now):
            room.tell(
                events.PeerQuality(participant.peer, quality.score, quality.trend), but=participant.peer
            )
        elif quality.has_news and not quality.waiting:
            quality.waiting = True
            when = quality.next_telling
            self._sessions.timers.at(when, partial(self._tell_quality, room, participant, when))

    def stats(self, kind: str, message: Message, params: Stats) -> Empty | StatsResult:
        """Keeps samples of a producer or consumer, or (without samples) returns those of the last five minutes."""
        room, participant = message.seat
        if (params.producer is None) == (params.consumer is None):
            raise ProtocolError("invalid_params", "name a producer or a consumer", path="$.producer")
        owner, media = self._measured(room, participant, params)
        key: Measured = ("producer" if params.producer is not None else "consumer", media.id)
        if media.kind != kind:
            raise ProtocolError(
                "invalid_params", f"this carries {media.kind}: use {media.kind}Stats", path="$"
            )
        if params.samples is None:
            return StatsResult(owner.stats.read(key, message.now))
        if owner is not participant:
            raise ProtocolError("forbidden", "statistics are reported by those who measure them")
        owner.stats.add(key, params.samples, message.now, self._settings.limits.stats_bytes_per_peer)
        return Empty()

    def _measured(
        self, room: Room, participant: Participant, params: Stats
    ) -> tuple[Participant, Producer | Consumer]:
        """Whose statistics are meant: one's own, and for a moderator any producer's."""
        if params.consumer is not None:
            consumer = participant.consumers.get(params.consumer)
            if consumer is None:
                raise ProtocolError("not_found", "you have no such consumer", path="$.consumer")
            return participant, consumer
        producer = room.find_moderated(participant, params.producer or "")
        if producer is None or not (producer.peer == participant.peer or participant.is_moderator):
            raise ProtocolError("not_found", "there is no such producer of yours", path="$.producer")
        return room.participants[producer.peer], producer

    def error(self, message: Message, params: MediaError) -> MediaErrorResult:
        """Logs what broke at the client, and says what to try: a second failure of one transport asks for more."""
        _, participant = message.seat
        reference = self._sessions.new_id("e")
        log.log(
            logging.INFO if self._is_news(participant, message.now) else logging.DEBUG,
            "media error at a client",
            extra={
                "ref": reference,
                "peer": participant.peer,
                "where": params.where,
                "error": params.name,
                "detail": params.message,
            },
        )
        return MediaErrorResult(reference, self._advice(participant, params, message.now))

    def _is_news(self, participant: Participant, now: float) -> bool:
        """Whether an operator is told: of a client that reports one after the other, the first ten of half a minute."""
        told = participant.errors_told
        told[:] = [when for when in told if when > now - ERROR_WINDOW]
        if len(told) >= ERRORS_TOLD:
            return False
        told.append(now)
        return True

    def _advice(self, participant: Participant, params: MediaError, now: float) -> Advice:
        if params.name in NOT_OURS:
            return "none"
        failures = participant.media_errors
        failures[:] = [when for when in failures if when > now - ERROR_WINDOW]
        failures.append(now)
        del failures[:-ERRORS_TOLD]  # more say no more
        turn = any(
            url.startswith(("turn:", "turns:"))
            for server in self._streams.ice_servers(participant.identity)
            for url in server.urls
        )
        ladder: tuple[Advice, ...] = (
            ("ice_restart", "turn_tls", "rejoin") if turn else ("ice_restart", "rejoin")
        )
        return ladder[min(len(failures), len(ladder)) - 1]
