"""Settings: one tree of frozen Structs, two levels deep. The doc of each field helps to choose it.

The order of precedence is defaults < TOML file < environment < flags (see palaver.settings.load). What must hold
between fields, and what a type cannot say, is in palaver.settings.rules.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Struct, field

from palaver.settings.bounds import (
    Count,
    FlapMillis,
    GraceMillis,
    Leeway,
    LifeTime,
    Port,
    PositiveSeconds,
    RefreshSeconds,
    RoomSeconds,
    Share,
    Texts,
    doc,
)
from palaver.settings.cluster import ClusterSettings
from palaver.settings.gateway import GatewaySettings
from palaver.settings.limits import LimitSettings


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
    weak_secrets: Annotated[
        bool,
        doc(
            "Accept secrets of less than 32 bytes. For `palaver dev` alone, which turns it on; elsewhere it is refused."
        ),
    ] = False
    token_in_query: Annotated[
        bool,
        doc("Accept ?token=… in the URL. Off, because URLs end up in the logs of proxies."),
    ] = False


class MediaSettings(Struct, frozen=True, forbid_unknown_fields=True):
    embedded: Annotated[
        bool,
        doc("Run the embedded aiortc media node (small rooms)."),
    ] = True
    answer_seconds: Annotated[
        PositiveSeconds,
        doc("How long a media node may take to answer an offer; then the request is refused with timeout."),
    ] = 10.0
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
        doc("The secret shared with the TURN servers (coturn: static-auth-secret).", secret=True),
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


class TracingSettings(Struct, frozen=True, forbid_unknown_fields=True):
    endpoint: Annotated[
        str,
        doc(
            "Where spans are sent: the http(s) URL of an OpenTelemetry collector, http://127.0.0.1:4318/v1/traces as a rule. "
            "Needs the extra palaver[otel]. Empty: no spans."
        ),
    ] = ""
    ratio: Annotated[
        Share,
        doc(
            "Which share of the requests has a span, by trace id. "
            "A span costs some 40 µs of the loop's time, a request without one 8. "
            "A traceparent that asks not to be sampled is heeded."
        ),
    ] = 1.0
    queue_spans: Annotated[
        Count,
        doc("Spans that wait for a slow collector; further ones are lost. One takes about 2 KiB."),
    ] = 4096


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
    cluster: ClusterSettings = ClusterSettings()
    log: LogSettings = LogSettings()
    tracing: TracingSettings = TracingSettings()
    diagnostics: DiagnosticsSettings = DiagnosticsSettings()
