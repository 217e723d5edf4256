"""Settings of the gateway: where clients come in, and how much of what."""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct

from palaver.settings.bounds import (
    Bytes,
    Count,
    DrainSeconds,
    PingMillis,
    Port,
    PositiveSeconds,
    Texts,
    Workers,
    doc,
)


class GatewaySettings(Struct, frozen=True, forbid_unknown_fields=True):
    host: Annotated[
        str,
        doc("Address the WebSocket gateway binds. 0.0.0.0 or :: for all interfaces."),
    ] = "127.0.0.1"
    port: Annotated[
        Port,
        doc("Port of the gateway; 0 picks a free one and prints it."),
    ] = 7880
    path: Annotated[
        str,
        doc("The one path that is served; any other answers 404."),
    ] = "/v1"
    origins: Annotated[
        Texts,
        doc(
            "Origins that browsers may connect from, as scheme://host[:port]; '*' allows all. "
            "Requests without an Origin (not browsers) pass."
        ),
    ] = ()
    trusted_proxies: Annotated[
        Texts,
        doc(
            "Addresses or networks whose X-Forwarded-For is believed. Empty: nobody's. "
            "Name only proxies that you run: others could take on any address."
        ),
    ] = ()
    tls_certificate: Annotated[
        str,
        doc("PEM file with the certificate chain. Empty: plain ws://."),
    ] = ""
    tls_key: Annotated[
        str,
        doc("PEM file with the private key, not encrypted. Needed with tls_certificate."),
    ] = ""
    max_message_bytes: Annotated[
        Bytes,
        doc("Largest message after reassembly; more closes with 1009. Must exceed limits.sdp_bytes."),
    ] = 256 * 1024
    max_message_bytes_before_auth: Annotated[
        Bytes,
        doc(
            "Largest message before the session is authenticated; the first one holds the token. "
            "At most max_message_bytes."
        ),
    ] = 4 * 1024
    max_fragments: Annotated[
        Count,
        doc("Fragments one message may come in; more closes with 1009."),
    ] = 1024
    handshake_seconds: Annotated[
        PositiveSeconds,
        doc(
            "Time a client has for the HTTP upgrade and TLS, and again for its first valid token. "
            "Shorter turns away slow phones, longer lets silent sockets pile up."
        ),
    ] = 5.0
    ping_ms: Annotated[
        PingMillis,
        doc(
            "Interval of pings in milliseconds. A client silent for 2.5 times this is closed with 4003. "
            "Shorter finds lost clients sooner and costs phones their battery."
        ),
    ] = 10_000
    max_connections: Annotated[
        Count,
        doc("Sockets open at once; more are answered 503 before the upgrade."),
    ] = 100_000
    max_half_open: Annotated[
        Count,
        doc("Sockets that have not finished the handshake, over all addresses."),
    ] = 4096
    max_half_open_per_address: Annotated[
        Count,
        doc("The same, for one address; many clients may share one behind a NAT."),
    ] = 512
    max_connections_per_address: Annotated[
        Count,
        doc("Sockets one address may hold open; many clients may share one behind a NAT."),
    ] = 20_000
    outbox_shed_bytes: Annotated[
        Bytes,
        doc(
            "Bytes queued for one client above which droppable events (quality, traces) are shed. "
            "Must be below outbox_close_bytes."
        ),
    ] = 256 * 1024
    outbox_close_bytes: Annotated[
        Bytes,
        doc(
            "Bytes queued for one client above which it reads too slowly and is closed with 4002. "
            "This is the memory that a client who never reads can cost."
        ),
    ] = 1024 * 1024
    alternatives: Annotated[
        Texts,
        doc(
            "WebSocket URLs of other nodes, which clients are told when this one drains (close 4001). "
            "A CLOSE frame holds about 110 characters of them; each client is told those that fit, from a place "
            "in the list that differs from client to client."
        ),
    ] = ()
    drain_seconds: Annotated[
        DrainSeconds,
        doc(
            "Over how long a drain spreads its goodbyes, unless told otherwise. Longer spares the other nodes a storm "
            "of reconnects; it must stay some 5 s below the time that your supervisor waits after SIGTERM."
        ),
    ] = 2.0
    workers: Annotated[
        Workers,
        doc(
            "Processes that serve on this port, each a node with its own rooms (`palaver serve --workers`). "
            "As many as there are cores to spare; a client whose room another has is sent there."
        ),
    ] = 1
    worker_url: Annotated[
        str,
        doc(
            "Where clients reach one worker, as {worker} (from 1) and {port} say: wss://example.org/{worker}/v1 behind a "
            "proxy. Empty: the host they asked for and the worker's own port, gateway.port + 10 for the first."
        ),
    ] = ""
    control_frames_per_second: Annotated[
        Count,
        doc("Pings and pongs one client may send per second; more closes with 4013."),
    ] = 50
