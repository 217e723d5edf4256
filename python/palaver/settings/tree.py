"""Settings: one tree of frozen Structs, two levels deep. The description of each field helps to choose it.

The order of precedence is defaults < TOML file < environment < flags (see palaver.settings.load). What must
hold between fields, and what a type cannot say, is in palaver.settings.rules. A field whose Meta has
`extra={"secret": True}` is never printed.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

Port = Annotated[int, Meta(ge=0, le=65535)]
PositiveSeconds = Annotated[float, Meta(gt=0, le=86_400)]
Count = Annotated[int, Meta(ge=1, le=10_000_000)]
Bytes = Annotated[int, Meta(ge=1, le=1 << 30)]


class NodeSettings(Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[
        str,
        Meta(description="What this node is called in replies, logs and metrics. Empty: the host's name."),
    ] = ""
    region: Annotated[str, Meta(description="Where it runs, for placement. Free text.")] = "local"
    state_dir: Annotated[
        str,
        Meta(
            description=(
                "Where keys and durable state are kept. Empty: $XDG_STATE_HOME/palaver, else "
                "~/.local/state/palaver."
            )
        ),
    ] = ""


class GatewaySettings(Struct, frozen=True, forbid_unknown_fields=True):
    host: Annotated[
        str, Meta(description="Address the WebSocket gateway binds. 0.0.0.0 or :: for all interfaces.")
    ] = "127.0.0.1"
    port: Annotated[Port, Meta(description="Port of the gateway; 0 picks a free one and prints it.")] = 7880
    path: Annotated[str, Meta(description="The one path that is served; any other answers 404.")] = "/v1"
    origins: Annotated[
        tuple[str, ...],
        Meta(
            description=(
                "Origins that browsers may connect from, as scheme://host[:port]; '*' allows "
                "all. Requests without an Origin (not browsers) pass."
            )
        ),
    ] = ()
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(description="Addresses or networks whose X-Forwarded-For is believed. Empty: nobody's."),
    ] = ()
    tls_certificate: Annotated[
        str, Meta(description="PEM file with the certificate chain. Empty: plain ws://.")
    ] = ""
    tls_key: Annotated[
        str, Meta(description="PEM file with the private key. Needed with tls_certificate.")
    ] = ""
    max_message_bytes: Annotated[
        Bytes, Meta(description="Largest message after reassembly; must exceed sdp_bytes.")
    ] = 256 * 1024
    max_message_bytes_before_auth: Annotated[
        Bytes, Meta(description="Largest message before the session is authenticated.")
    ] = 4 * 1024
    max_fragments: Annotated[
        Count, Meta(description="Fragments one message may come in; more closes with 1009.")
    ] = 1024
    handshake_seconds: Annotated[
        PositiveSeconds,
        Meta(
            description="Time a client has for the HTTP upgrade and TLS, and again for its first valid token."
        ),
    ] = 5.0
    ping_ms: Annotated[
        int,
        Meta(
            ge=100,
            le=600_000,
            description="Interval of pings in milliseconds. "
            "A client silent for 2.5 times this is closed with 4003.",
        ),
    ] = 10_000
    max_connections: Annotated[
        Count, Meta(description="Sockets open at once; more are answered 503 before the upgrade.")
    ] = 100_000
    max_half_open: Annotated[
        Count, Meta(description="Sockets that have not finished the handshake, over all addresses.")
    ] = 4096
    max_half_open_per_address: Annotated[
        Count, Meta(description="The same, for one address; many clients may share one behind a NAT.")
    ] = 512
    max_connections_per_address: Annotated[Count, Meta(description="Sockets one address may hold open.")] = (
        20_000
    )
    outbox_shed_bytes: Annotated[
        Bytes, Meta(description="Queued bytes above which droppable events (quality, traces) are shed.")
    ] = 256 * 1024
    outbox_close_bytes: Annotated[
        Bytes,
        Meta(
            description="Queued bytes above which the reader is too slow: close 4002. "
            "Must exceed outbox_shed_bytes."
        ),
    ] = 1024 * 1024
    control_frames_per_second: Annotated[
        Count, Meta(description="Pings and pongs one client may send per second; more closes with 4013.")
    ] = 50


class LimitSettings(Struct, frozen=True, forbid_unknown_fields=True):
    rooms: Annotated[Count, Meta(description="Rooms open at once on this node.")] = 50_000
    sessions: Annotated[Count, Meta(description="Sessions (joined or suspended) on this node.")] = 100_000
    room_participants: Annotated[Count, Meta(description="Participants in one room.")] = 1000
    producers_per_peer: Annotated[Count, Meta(description="Producers one participant may have.")] = 20
    consumers_per_peer: Annotated[Count, Meta(description="Consumers one participant may have.")] = 1000
    transports_per_peer: Annotated[Count, Meta(description="WebRTC transports one participant may have.")] = (
        256
    )
    sdp_bytes: Annotated[Bytes, Meta(description="Largest SDP.")] = 200 * 1024
    log_events: Annotated[
        Count, Meta(description="Events kept per room for resume; older ones cost the client a snapshot.")
    ] = 1024
    log_bytes: Annotated[Bytes, Meta(description="Bytes of events kept per room for resume.")] = 1024 * 1024
    errors_per_window: Annotated[
        Count, Meta(description="Error replies within error_window_seconds that close with 4505.")
    ] = 10
    error_window_seconds: Annotated[PositiveSeconds, Meta(description="See errors_per_window.")] = 10.0
    requests_per_second: Annotated[
        Count,
        Meta(description="Sustained requests per second of one connection, all methods but candidates."),
    ] = 200
    request_burst: Annotated[Count, Meta(description="Requests one connection may send at once.")] = 1000
    candidates_per_second: Annotated[
        Count, Meta(description="Sustained iceCandidate messages per second of one connection.")
    ] = 1000
    candidate_burst: Annotated[
        Count, Meta(description="iceCandidate messages one connection may send at once.")
    ] = 5000


class RoomSettings(Struct, frozen=True, forbid_unknown_fields=True):
    grace_ms: Annotated[
        int,
        Meta(
            ge=0,
            le=3_600_000,
            description=(
                "How long a lost session keeps its seat. Longer survives worse networks, and "
                "shows ghosts longer."
            ),
        ),
    ] = 10_000
    flap_ms: Annotated[
        int,
        Meta(ge=0, le=60_000, description="A loss shorter than this is not shown to others. Below grace_ms."),
    ] = 2_000


class AuthSettings(Struct, frozen=True, forbid_unknown_fields=True):
    keys: Annotated[
        dict[str, str],
        Meta(
            description=(
                "Key id (the token's iss) → secret of at least 32 bytes for HS256, or a PEM "
                "public key for EdDSA, ES256, RS256."
            ),
            extra={"secret": True},
        ),
    ] = field(default_factory=dict)
    audience: Annotated[str, Meta(description="Required aud claim. Empty: aud is not looked at.")] = ""
    leeway_seconds: Annotated[float, Meta(ge=0, le=600, description="Clock skew allowed on exp and nbf.")] = (
        60.0
    )
    max_ttl_seconds: Annotated[
        float, Meta(gt=0, le=31_536_000, description="A token that lives longer than this is refused.")
    ] = 86_400.0
    token_in_query: Annotated[
        bool, Meta(description="Accept ?token=… in the URL. Off: URLs end up in logs of proxies.")
    ] = False


class MediaSettings(Struct, frozen=True, forbid_unknown_fields=True):
    embedded: Annotated[bool, Meta(description="Run the embedded aiortc media node (small rooms).")] = True
    addresses: Annotated[
        tuple[str, ...],
        Meta(
            description="Local addresses to gather ICE candidates on. "
            "Empty: every address of the host but loopback."
        ),
    ] = ()
    ice_servers: Annotated[tuple[str, ...], Meta(description="STUN/TURN URLs handed to clients.")] = ()


class HttpSettings(Struct, frozen=True, forbid_unknown_fields=True):
    host: Annotated[str, Meta(description="Address of the side port: health, metrics, demo page.")] = (
        "127.0.0.1"
    )
    port: Annotated[Port, Meta(description="Port of the side port; 0 picks a free one.")] = 7881
    demo: Annotated[bool, Meta(description="Serve the demo page at /.")] = False


class LogSettings(Struct, frozen=True, forbid_unknown_fields=True):
    level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="Least severe level that is written.")
    ] = "info"
    format: Annotated[
        Literal["auto", "console", "json"], Meta(description="auto: console on a terminal, JSON elsewhere.")
    ] = "auto"


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    node: NodeSettings = NodeSettings()
    gateway: GatewaySettings = GatewaySettings()
    limits: LimitSettings = LimitSettings()
    rooms: RoomSettings = RoomSettings()
    auth: AuthSettings = field(default_factory=AuthSettings)
    media: MediaSettings = MediaSettings()
    http: HttpSettings = HttpSettings()
    log: LogSettings = LogSettings()
