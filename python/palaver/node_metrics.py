"""What a node shows to Prometheus: the numbers that its parts keep, under names in base units and without ids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from palaver.gateway import ClientGateway
from palaver.media import AiortcMediaNode
from palaver.observe import Histogram, LoopLag, Metric, counters, gauges
from palaver.signaling.plane import SignalingPlane


def gateway_metrics(gateway: ClientGateway) -> list[Metric]:
    count = gateway.counters
    levels = {
        "connections": count.connections_open,
        "half_open": count.half_open,
        "queued_bytes": gateway.table.queued_bytes(),
    }
    plain = {
        "connections_accepted": count.connections_total,
        "accept_pauses": gateway.pauses,
        "received_bytes": count.bytes_in,
        "sent_bytes": count.bytes_out,
        "received_messages": count.messages_in,
        "sent_messages": count.messages_out,
        "shed_messages": count.shed,
        "slow_readers": count.slow_readers,
        "handler_errors": count.handler_errors,
    }
    help = {
        "connections": "WebSockets that are open.",
        "half_open": "Sockets that have not finished their handshake.",
        "connections_accepted": "WebSockets opened since the start.",
        "received_bytes": "Bytes of payload in the data frames of clients.",
        "sent_bytes": "Bytes written to WebSockets, frame heads included.",
        "received_messages": "Whole messages of clients.",
        "sent_messages": "Messages queued for clients.",
        "shed_messages": "Droppable messages left out for clients that read too slowly.",
        "handler_errors": "Times that our own code failed on a message; its client is closed with 1011.",
        "queued_bytes": "Bytes that wait for clients to read them.",
        "accept_pauses": "Times that nobody was accepted because the process was out of file descriptors.",
        "slow_readers": "Times that a client's queue grew above gateway.outbox_shed_bytes.",
    }
    return [
        *gauges("gateway", levels, help),
        *counters("gateway", plain, help),
        _counted("gateway_closes", "Ended connections by close code.", count.closes, "code"),
        _counted("gateway_refused_handshakes", "Refused upgrades by HTTP status.", count.refused, "status"),
    ]


def signaling_metrics(plane: SignalingPlane) -> list[Metric]:
    sessions, messages = plane.sessions, plane.messages
    levels = {
        "rooms": len(sessions.rooms),
        "sessions": len(sessions.sessions),
        "participants": sum(len(room.participants) for room in sessions.rooms.values()),
        "shedding": plane.admission.shedding,
    }
    help = {
        "rooms": "Rooms that are open.",
        "sessions": "Sessions that hold a seat, those that may still resume included.",
        "participants": "Who is in rooms, each room counted by itself.",
        "shedding": "0: nothing is shed; 1: statistics and traces; 2: quality reports, too.",
    }
    limited: dict[tuple[str, ...], float] = {
        labels: float(number) for labels, number in plane.admission.refused.items()
    }
    seconds: dict[tuple[str, ...], Histogram] = {
        (method,): spent for method, spent in messages.seconds.items() if any(spent.counts)
    }
    return [
        *gauges("signaling", levels, help),
        _counted("signaling_requests", "Requests by method.", plane.router.calls, "method"),
        _counted("signaling_errors", "Error replies by reason.", messages.errors, "reason"),
        _counted("signaling_resumes", "Resumed sessions.", sessions.resumes, "missed"),
        _counted("signaling_tokens", "Tokens shown, by what became of them.", plane.auth.tokens, "outcome"),
        Metric(
            "signaling_rate_limited",
            "counter",
            "Requests refused with rate_limited, by class and by whose allowance was used up.",
            limited,
            ("class", "account"),
        ),
        Metric(
            "signaling_handler_seconds",
            "histogram",
            "From a decoded request to its result, by method; refused requests are not in it.",
            seconds,
            ("method",),
        ),
        Metric(
            "signaling_join_seconds", "histogram", "From a socket to a seat.", {(): messages.join_seconds}
        ),
        _counted("faults_injected", "Faults made on purpose.", sessions.faults.injected, "fault"),
    ]


def media_metrics(media: AiortcMediaNode | None) -> list[Metric]:
    if media is None:
        return []
    levels = media.stats()
    forwarded = levels.pop("framesForwarded")
    help = {
        "transports": "Transports that have a peer connection.",
        "producers": "Tracks that come in.",
        "consumers": "Tracks that go out.",
        "frames_forwarded": "Encoded frames passed on, each receiver counted by itself.",
    }
    return [*gauges("media", levels, help), *counters("media", {"frames_forwarded": forwarded}, help)]


def node_metrics(lag: LoopLag, draining: bool) -> list[Metric]:
    levels = {
        "loop_lag_seconds": lag.seconds,
        "loop_longest_stall_seconds": lag.longest,
        "draining": float(draining),
    }
    help = {
        "loop_lag_seconds": "How late the event loop runs, on average of the last second.",
        "loop_longest_stall_seconds": "The longest time that the event loop stood still since the start.",
        "draining": "Whether the node takes no new clients.",
    }
    return gauges("node", levels, help)


def _counted(name: str, help: str, counts: Mapping[Any, int], label: str) -> Metric:
    """A counter with one label."""
    samples: dict[tuple[str, ...], float] = {(str(key),): float(number) for key, number in counts.items()}
    return Metric(name, "counter", help, samples, (label,))
