"""Settings: one tree of frozen Structs, two levels deep. The doc of each field helps to choose it.

The order of precedence is defaults < TOML file < environment < flags (see palaver.settings.load). What must hold
between fields, and what a type cannot say, is in palaver.settings.rules.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field


def doc(text: str, *, secret: bool = False) -> Meta:
    """What users read about a setting; the value of a secret one is never printed."""
    return Meta(description=text, extra={"secret": True} if secret else None)


Port = Annotated[int, Meta(ge=0, le=65535)]
PositiveSeconds = Annotated[float, Meta(gt=0, le=86_400)]
RefreshSeconds = Annotated[float, Meta(ge=1, le=86_400)]
DrainSeconds = Annotated[float, Meta(ge=0, le=86_400)]
Leeway = Annotated[float, Meta(ge=0, le=600)]
LifeTime = Annotated[float, Meta(gt=0, le=31_536_000)]
PingMillis = Annotated[int, Meta(ge=100, le=600_000)]
GraceMillis = Annotated[int, Meta(ge=0, le=3_600_000)]
LagMillis = Annotated[int, Meta(ge=10, le=60_000)]
RoomSeconds = Annotated[float, Meta(ge=0, le=31_536_000)]
FlapMillis = Annotated[int, Meta(ge=0, le=60_000)]
Count = Annotated[int, Meta(ge=1, le=10_000_000)]
Bytes = Annotated[int, Meta(ge=1, le=1 << 30)]
Texts = tuple[str, ...]


class NodeSettings(Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[
        str,
        doc("What this node is called in replies, logs and metrics. Empty: the host's name."),
    ] = ""
    region: Annotated[
        str,
        doc("Where it runs, for placement. Free text."),
    ] = "local"
    state_dir: Annotated[
        str,
        doc(
            "Where keys and durable state are kept. "
            "Empty: $XDG_STATE_HOME/palaver, else ~/.local/state/palaver."
        ),
    ] = ""


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
    control_frames_per_second: Annotated[
        Count,
        doc("Pings and pongs one client may send per second; more closes with 4013."),
    ] = 50


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
        doc("WebRTC transports one participant may have; a call peer to peer needs one for each other."),
    ] = 256
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
    stats_per_second: Annotated[
        Count,
        doc(
            "Sustained quality reports, statistics and traces per second of one connection; five times as many at once."
        ),
    ] = 20
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
    requests_before_auth: Annotated[
        Count,
        doc("Requests one connection may send before it is authenticated; more closes with 4013."),
    ] = 16
    shed_lag_ms: Annotated[
        LagMillis,
        doc(
            "How late the event loop may be on average of a second, in milliseconds, before statistics and traces are "
            "refused; from twice that, quality reports too. Signaling is never refused for it. "
            "Calls set up noticeably slower from some 200."
        ),
    ] = 200


class RoomSettings(Struct, frozen=True, forbid_unknown_fields=True):
    grace_ms: Annotated[
        GraceMillis,
        doc(
            "How long a lost session keeps its seat, in milliseconds. "
            "Longer survives worse networks, and shows ghosts longer."
        ),
    ] = 10_000
    flap_ms: Annotated[
        FlapMillis,
        doc("A loss shorter than this many milliseconds is not shown to others. At most grace_ms."),
    ] = 2_000
    empty_seconds: Annotated[
        RoomSeconds,
        doc("How long a room outlives its last participant, with its lock and its mutes. 0: not at all."),
    ] = 0.0
    max_seconds: Annotated[
        RoomSeconds,
        doc("How long a room lives at most; then everybody is sent out with 4506. 0: without end."),
    ] = 0.0


class AuthSettings(Struct, frozen=True, forbid_unknown_fields=True):
    keys: Annotated[
        dict[str, str],
        doc(
            "Key id (the token's iss) → secret of at least 32 bytes for HS256, "
            "or a PEM public key for EdDSA, ES256, RS256.",
            secret=True,
        ),
    ] = field(default_factory=dict)
    jwks: Annotated[
        Texts,
        doc(
            "JSON Web Key Sets (RFC 7517) of those who mint tokens: files, or http(s) URLs. A token's header names its "
            "key there (kid). Ed25519, P-256 and RSA keys only."
        ),
    ] = ()
    jwks_seconds: Annotated[
        RefreshSeconds,
        doc(
            "How often the key sets are read again; a kid that is unknown does not cause it. "
            "Shorter lets a key that was withdrawn go sooner, longer asks the issuer less often."
        ),
    ] = 300.0
    audience: Annotated[
        str,
        doc("Required aud claim. Empty: aud is not looked at."),
    ] = ""
    leeway_seconds: Annotated[
        Leeway,
        doc("Clock skew allowed on exp and nbf. So long does a token outlive its exp."),
    ] = 60.0
    max_ttl_seconds: Annotated[
        LifeTime,
        doc("A token that lives longer than this is refused."),
    ] = 86_400.0
    token_in_query: Annotated[
        bool,
        doc("Accept ?token=… in the URL. Off, because URLs end up in the logs of proxies."),
    ] = False


class MediaSettings(Struct, frozen=True, forbid_unknown_fields=True):
    embedded: Annotated[
        bool,
        doc("Run the embedded aiortc media node (small rooms)."),
    ] = True
    addresses: Annotated[
        Texts,
        doc("Local IP addresses to gather ICE candidates on. Empty: every address of the host but loopback."),
    ] = ()
    ice_servers: Annotated[
        Texts,
        doc("STUN URLs, and TURN URLs that need no credentials, handed to clients."),
    ] = ()
    turn_servers: Annotated[
        Texts,
        doc(
            "TURN URLs handed to clients with time-limited credentials (coturn: use-auth-secret). Needs turn_secret."
        ),
    ] = ()
    turn_secret: Annotated[
        str,
        doc("The secret shared with the TURN servers (coturn: static-auth-secret)."),
    ] = ""
    turn_ttl_seconds: Annotated[
        PositiveSeconds,
        doc(
            "How long TURN credentials are good; longer than the longest call, or clients must refreshToken."
        ),
    ] = 43_200.0


class HttpSettings(Struct, frozen=True, forbid_unknown_fields=True):
    host: Annotated[
        str,
        doc("Address of the side port: health, metrics, admin API, demo page. Keep it from the open net."),
    ] = "127.0.0.1"
    port: Annotated[
        Port,
        doc("Port of the side port; 0 picks a free one."),
    ] = 7881
    demo: Annotated[
        bool,
        doc("Serve the demo page at /."),
    ] = False
    admin_token: Annotated[
        str,
        doc(
            "Bearer token of the admin API under /v1/: at least 32 bytes, as of `openssl rand -base64 32`. "
            "Who has it may kick, ban, close rooms and drain. Empty: the admin API is off (404).",
            secret=True,
        ),
    ] = ""


class WebhookSettings(Struct, frozen=True, forbid_unknown_fields=True):
    urls: Annotated[
        Texts,
        doc(
            "http(s) URLs that every event of a room is posted to, signed and in order. "
            "Each gets all of them, at least once."
        ),
    ] = ()
    key: Annotated[
        str,
        doc("Key id in auth.keys whose secret signs webhooks. Needed with urls; a public key cannot sign."),
    ] = ""
    queue_events: Annotated[
        Count,
        doc(
            "Events kept in the state directory, to be sent and to be read at /v1/events; the oldest go first, "
            "sent or not. One takes about 1 KiB."
        ),
    ] = 100_000
    timeout_seconds: Annotated[
        PositiveSeconds,
        doc("How long one attempt may take. A receiver should answer at once and work later."),
    ] = 10.0
    deadline_seconds: Annotated[
        LifeTime,
        doc(
            "How old an event may get before a failed attempt was its last. Until then the later events of its room wait."
        ),
    ] = 86_400.0


class LogSettings(Struct, frozen=True, forbid_unknown_fields=True):
    level: Annotated[
        Literal["debug", "info", "warning", "error"],
        doc("Least severe level that is written."),
    ] = "info"
    format: Annotated[
        Literal["auto", "console", "json"],
        doc("auto: console on a terminal, JSON elsewhere."),
    ] = "auto"


class DiagnosticsSettings(Struct, frozen=True, forbid_unknown_fields=True):
    chaos: Annotated[
        bool,
        doc("Allow chaosInject to those whose token grants it. Keep it off where people depend on the node."),
    ] = False


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    node: NodeSettings = NodeSettings()
    gateway: GatewaySettings = GatewaySettings()
    limits: LimitSettings = LimitSettings()
    rooms: RoomSettings = RoomSettings()
    auth: AuthSettings = field(default_factory=AuthSettings)
    media: MediaSettings = MediaSettings()
    http: HttpSettings = HttpSettings()
    webhooks: WebhookSettings = WebhookSettings()
    log: LogSettings = LogSettings()
    diagnostics: DiagnosticsSettings = DiagnosticsSettings()
