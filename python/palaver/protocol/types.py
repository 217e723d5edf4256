"""The bounded words that messages are made of. Every string and number from outside has its bound here."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

# No control characters (C0, DEL, C1) and no line or paragraph separators. A schema is told so; what holds the rule, and
# NFC, is protocol.text, called by the codec.
_TEXT = {"pattern": "^[^\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029]*\\Z"}
_NAME = {"pattern": "^[^\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029]+\\Z"}

Name = Annotated[str, Meta(min_length=1, max_length=128, extra_json_schema=_NAME)]
"""A name or an id: 1–128 characters, NFC, no control characters."""
Text = Annotated[str, Meta(max_length=1024, extra_json_schema=_TEXT)]
"""Free text of at most one line."""
Token = Annotated[str, Meta(min_length=1, max_length=16 * 1024)]
Sdp = Annotated[str, Meta(min_length=1)]
"""An SDP; its size is bounded by the setting limits.sdp_bytes and its lines are checked by admission."""
CandidateLine = Annotated[str, Meta(max_length=1024, extra_json_schema=_TEXT)]
Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Generation = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Millis = Annotated[float, Meta(ge=0, le=1e9)]
Ratio = Annotated[float, Meta(ge=0, le=1)]
StatNumber = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | Annotated[float, Meta(ge=-1e300, le=1e300)]
Clock = Annotated[int, Meta(ge=-(2**53), le=2**53)] | Annotated[float, Meta(ge=-(2**53), le=2**53)]
Attributes = Annotated[
    dict[Name, Annotated[str, Meta(max_length=4096)]],
    Meta(max_length=64),
]

Kind = Literal["audio", "video", "data"]
Source = Literal["camera", "microphone", "screen", "screenAudio", "data"]
Role = Literal["owner", "moderator", "presenter", "participant", "observer"]

Fingerprint = Annotated[str, Meta(max_length=256, pattern="^[0-9A-Fa-f:]+\\Z")]


class Params(Struct, rename="camel", omit_defaults=True):
    """Base of all request params. Unknown fields are ignored (protocol § 1)."""


class Result(Struct, rename="camel", omit_defaults=True):
    """Base of all results: absent optional fields are left out."""


class Candidate(Struct, frozen=True, omit_defaults=True):
    """W3C RTCIceCandidateInit (webrtc-pc § 4.8.1.1), in its own spelling; an empty `candidate` is end-of-candidates."""

    candidate: CandidateLine
    sdpMid: Annotated[str, Meta(max_length=128, extra_json_schema=_TEXT)] | None = None
    sdpMLineIndex: Annotated[int, Meta(ge=0, le=65535)] | None = None
    usernameFragment: Annotated[str, Meta(max_length=256, extra_json_schema=_TEXT)] | None = None


class DtlsFingerprint(Params):
    algorithm: Annotated[str, Meta(max_length=32, pattern="^[a-z0-9-]+\\Z")]
    value: Fingerprint


class DtlsParameters(Params):
    role: Literal["auto", "client", "server", "active", "passive", "actpass"]
    fingerprints: Annotated[list[DtlsFingerprint | Fingerprint], Meta(min_length=1, max_length=8)]


class Encoding(Params):
    """One simulcast layer, in the words of W3C RTCRtpEncodingParameters."""

    rid: Annotated[str, Meta(max_length=32, pattern="^[A-Za-z0-9_-]*\\Z")] | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    max_bitrate: Annotated[int, Meta(ge=0, le=10**9)] | UnsetType = UNSET
    max_framerate: Annotated[float, Meta(ge=0, le=1000)] | UnsetType = UNSET
    scale_resolution_down_by: Annotated[float, Meta(ge=1, le=64)] | UnsetType = UNSET
    scalability_mode: Annotated[str, Meta(max_length=32, extra_json_schema=_TEXT)] | UnsetType = UNSET


class IceServer(Result):
    urls: list[str]
    username: str | None = None
    credential: str | None = None
