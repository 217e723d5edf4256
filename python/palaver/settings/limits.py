"""Settings that bound what clients may hold and ask."""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct

from palaver.settings.bounds import Bytes, Count, LagMillis, PositiveSeconds, doc


class LimitSettings(Struct, frozen=True, forbid_unknown_fields=True):
    rooms: Annotated[
        Count,
        doc("Rooms open at once on this node."),
    ] = 50_000
    sessions: Annotated[
        Count,
        doc("Sessions (joined or suspended) on this node."),
    ] = 100_000
    room_participants: Annotated[
        Count,
        doc("Participants in one room. Each event of a room is sent to all of them."),
    ] = 1000
    producers_per_peer: Annotated[
        Count,
        doc("Producers one participant may have."),
    ] = 20
    consumers_per_peer: Annotated[
        Count,
        doc("Consumers one participant may have."),
    ] = 1000
    transports_per_peer: Annotated[
        Count,
        doc(
            "Peer-to-peer connections one participant may open: a call peer to peer needs one for each other."
        ),
    ] = 256
    media_transports_per_peer: Annotated[
        Count,
        doc(
            "Transports to the media node one participant may have: one to send, one to receive, and some for a new start. "
            "Each costs the media node sockets and memory."
        ),
    ] = 8
    sdp_bytes: Annotated[
        Bytes,
        doc(
            "Largest SDP. One of a browser has 5 to 10 KiB, and 2 to 3 KiB more for each further track. "
            "Must be below gateway.max_message_bytes."
        ),
    ] = 200 * 1024
    log_events: Annotated[
        Count,
        doc("Events kept per room for resume; a client that missed more gets a snapshot instead."),
    ] = 1024
    log_bytes: Annotated[
        Bytes,
        doc("Bytes of events kept per room for resume; with log_events, whichever is less."),
    ] = 1024 * 1024
    log_seconds: Annotated[
        PositiveSeconds,
        doc(
            "How long events are kept for resume at least; twice that at most. Nobody comes back later than 2.5 × "
            "gateway.ping_ms (until a silent socket is given up) and rooms.grace_ms after an event: with less, some get a "
            "snapshot instead; with more, rooms that were busy hold memory for nothing."
        ),
    ] = 60.0
    errors_per_window: Annotated[
        Count,
        doc("Error replies within error_window_seconds that close a connection with 4505."),
    ] = 10
    error_window_seconds: Annotated[
        PositiveSeconds,
        doc("The time over which errors_per_window counts."),
    ] = 10.0
    requests_per_second: Annotated[
        Count,
        doc("Sustained requests per second of one connection, all methods but iceCandidate."),
    ] = 200
    request_burst: Annotated[
        Count,
        doc("Requests one connection may send at once, before requests_per_second holds it back."),
    ] = 1000
    told_bytes_per_second: Annotated[
        Bytes,
        doc(
            "Sustained bytes per second of what one identity tells a whole room: attributes, labels, reasons. "
            "More reaches readers on slow networks faster than they can read it: the default takes 2 Mbit/s."
        ),
    ] = 256 * 1024
    told_burst_bytes: Annotated[
        Bytes,
        doc(
            "How much of that may come at once. One sender can queue up to twice this for a reader that reads nothing: "
            "keep it below half of gateway.outbox_close_bytes."
        ),
    ] = 384 * 1024
    received_bytes_per_second: Annotated[
        Bytes,
        doc(
            "Sustained bytes per second of one identity's messages above 4 KiB; more closes with 4013. The loop reads some "
            "25 MiB/s, so this is the share of it that one may take. Calls need a hundredth."
        ),
    ] = 1024 * 1024
    received_burst_bytes: Annotated[
        Bytes,
        doc(
            "How much of that may come at once: some of the largest messages. At least gateway.max_message_bytes."
        ),
    ] = 4 * 1024 * 1024
    stats_per_second: Annotated[
        Count,
        doc(
            "Sustained quality reports, statistics and traces per second of one connection; five times as many at once."
        ),
    ] = 20
    stats_bytes_per_peer: Annotated[
        Bytes,
        doc(
            "Memory for the statistics of one participant, all of its producers and consumers together. "
            "Five minutes at a usual sample a second take some 160 KiB for each of them."
        ),
    ] = 2 * 1024 * 1024
    candidates_per_second: Annotated[
        Count,
        doc("Sustained iceCandidate messages per second of one connection."),
    ] = 1000
    candidate_burst: Annotated[
        Count,
        doc("iceCandidate messages one connection may send at once, as request_burst."),
    ] = 5000
    identity_factor: Annotated[
        Count,
        doc(
            "How many times the rates and bursts of one connection all connections of an identity have together. "
            "People have a few devices and tabs."
        ),
    ] = 8
    address_factor: Annotated[
        Count,
        doc(
            "The same for all connections from one IP address. Many clients share one behind a NAT, and all of them "
            "behind a proxy that is not in gateway.trusted_proxies."
        ),
    ] = 500
    remembered_callers: Annotated[
        Count,
        doc(
            "Identities, and as many addresses, whose use of the rates is remembered after their last connection has "
            "gone; about half a KiB each. With fewer, whoever uses many addresses begins afresh with each."
        ),
    ] = 50_000
    rulings: Annotated[
        Count,
        doc(
            "Bans and revocations this node keeps, one per identity and room; about half a KiB each, and as much on disk. "
            "At the limit no more can be made until some are over or lifted."
        ),
    ] = 100_000
    rulings_per_room: Annotated[
        Count,
        doc(
            "How many of them may be for one room, so that its owner cannot use up the node's. At most rulings."
        ),
    ] = 10_000
    requests_before_auth: Annotated[
        Count,
        doc("Requests one connection may send before it is authenticated; more closes with 4505."),
    ] = 16
    shed_lag_ms: Annotated[
        LagMillis,
        doc(
            "How late the event loop may be on average of a second, in milliseconds, before statistics and traces are "
            "refused; from twice that, quality reports too. Signaling is never refused for it. "
            "Calls set up noticeably slower from some 200."
        ),
    ] = 200
