"""Tokens: JWTs in the shape that LiveKit's token servers mint, verified by key id (RFC 7519, RFC 8725)."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal, get_args

import jwt
import msgspec
from msgspec import Meta, Struct

from palaver.protocol.errors import ProtocolError
from palaver.protocol.text import find_fault, is_clean
from palaver.protocol.types import Attributes, Name, Role, Source, Text
from palaver.rooms.role import RANK, Claims, Grants
from palaver.settings import AuthSettings
from palaver.signaling.jws import parts_of
from palaver.signaling.keys import Key, Keys, load_keys

MAX_TOKEN_BYTES: Final = 16 * 1024
CACHED_TOKENS: Final = 10_000
# Header parameters that would let a token say how to verify it (RFC 8725 § 3.10), or demand what we do not know.
REFUSED_HEADERS: Final = ("crit", "jku", "jwk", "x5u", "x5c")

SOURCE_NAMES: Final[dict[str, Source]] = {
    **{name: name for name in get_args(Source)},
    "screen_share": "screen",
    "screen_share_audio": "screenAudio",
}
"""As a token may name a source → as the protocol does. LiveKit's token servers say screen_share."""
SourceName = Literal[Source, "screen_share", "screen_share_audio"]
assert SOURCE_NAMES.keys() == set(get_args(SourceName))

Seconds = Annotated[float, Meta(ge=0, le=1e12)]


class _Video(Struct, rename="camel"):
    room: Name | None = None
    room_join: bool = False
    room_admin: bool = False
    room_list: bool = False
    can_publish: bool | None = None
    can_subscribe: bool | None = None
    can_publish_sources: Annotated[list[SourceName], Meta(max_length=8)] | None = None
    can_publish_data: bool | None = None
    hidden: bool = False


class _Issuer(Struct):
    iss: object = None


class _Payload(Struct):
    sub: Name
    exp: Seconds
    nbf: Seconds | None = None
    iat: Seconds | None = None
    orig_iat: Seconds | None = None
    jti: Annotated[str, Meta(max_length=128)] | None = None
    aud: str | list[str] | None = None
    name: Text | None = None
    attributes: Attributes | None = None
    role: Role | None = None
    chaos: bool = False
    diag: bool = False
    video: _Video = msgspec.field(default_factory=_Video)


_read_issuer: Final = msgspec.json.Decoder(_Issuer).decode
_read_payload: Final = msgspec.json.Decoder(_Payload).decode


class TokenVerifier:
    """Verifies tokens against two sets of keys. Verified tokens are remembered by their hash.

    The token's iss names one of our own keys (auth.keys); its header's kid names one that an issuer has published
    (auth.jwks), and goes first. A name that is unknown is looked up nowhere else. `wall()` gives seconds since the
    Unix epoch.
    """

    def __init__(self, settings: AuthSettings, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._published: Keys = {}
        self.configure(settings, load_keys(settings))

    def configure(self, settings: AuthSettings, keys: Keys) -> None:
        """Puts other settings and keys in force. A token of a key that is gone is refused from now on."""
        self._settings = settings
        self._keys = keys
        self._verified: OrderedDict[bytes, tuple[Claims, float]] = OrderedDict()

    def trust(self, published: Keys) -> None:
        """Exchanges the published keys, all at once."""
        if published != self._published:
            self._published = published
            self._verified.clear()

    def verify(self, token: str) -> Claims:
        """Raises ProtocolError token_invalid or token_expired; the message says which rule the token breaks."""
        if len(token) > MAX_TOKEN_BYTES:
            raise ProtocolError("token_invalid", f"a token has at most {MAX_TOKEN_BYTES} bytes")
        digest = hashlib.blake2b(token.encode(), digest_size=16).digest()
        known = self._verified.get(digest)
        if known is None:
            payload, key_id = self._authentic(token)
            known = (_claims(payload, key_id), payload.nbf or 0.0)
            self._check_payload(payload)
            self._verified[digest] = known
            if len(self._verified) > CACHED_TOKENS:
                self._verified.popitem(last=False)
        claims, not_before = known
        now, leeway = self._wall(), self._settings.leeway_seconds
        if now > claims.expires_at + leeway:
            raise ProtocolError("token_expired")
        if now < not_before - leeway:
            raise ProtocolError("token_invalid", "the token is not valid yet (nbf)")
        return claims

    def reissue(self, claims: Claims) -> str | None:
        """A new token with the same claims and as long a life from now; None where this node has no secret to sign with."""
        key = self._keys.get(claims.key_id)
        if key is None or key.algorithm != "HS256":
            return None
        now = self._wall()
        life = claims.expires_at - (now if claims.issued_at is None else claims.issued_at)
        video: dict[str, Any] = msgspec.to_builtins(claims.grants)
        top = {name: video.pop(name) for name in ("chaos", "diag")}
        if not video["room"]:
            del video["room"]
        payload = {
            "iss": claims.key_id,
            "sub": claims.identity,
            "iat": int(now),
            "exp": int(now + min(life, self._settings.max_ttl_seconds)),
            "role": claims.role,
            "name": claims.name,
            "attributes": claims.attributes,
            "video": video,
            "orig_iat": claims.decided_at or 0,
            **({"jti": claims.token_id} if claims.token_id else {}),
            **({"aud": self._settings.audience} if self._settings.audience else {}),
            **top,
        }
        return jwt.encode(payload, key.material, algorithm="HS256")

    def _authentic(self, token: str) -> tuple[_Payload, str]:
        try:
            # Read once: what `jwt.decode` reads again, and the key that it prepares each time, take 90 of 116 µs.
            header, payload, signature = parts_of(token.encode())
            issuer = _read_issuer(payload).iss
        except (jwt.PyJWTError, msgspec.DecodeError, ValueError, RecursionError):
            raise ProtocolError("token_invalid", "the token is not a JWT") from None
        refused = [name for name in REFUSED_HEADERS if name in header]
        if refused:
            raise ProtocolError("token_invalid", f"the token's header must not have {refused[0]}")
        key, key_id = self._key_of(header.get("kid"), issuer)
        if header.get("alg") != key.algorithm:
            raise ProtocolError("token_invalid", f"this key signs with {key.algorithm} only")
        if not self._signed(token, signature, key):
            raise ProtocolError("token_invalid", "the token's signature does not verify")
        try:
            return _checked(_read_payload(payload)), key_id
        except msgspec.ValidationError as error:
            raise ProtocolError("token_invalid", f"the token's claims do not fit: {error}") from None

    @staticmethod
    def _signed(token: str, signature: bytes, key: Key) -> bool:
        """Whether the key signed it, by its own algorithm, whatever the header says (RFC 8725 § 3.1)."""
        algorithm = jwt.get_algorithm_by_name(key.algorithm)
        return bool(algorithm.verify(token.rpartition(".")[0].encode(), key.prepared, signature))

    def _key_of(self, kid: object, issuer: object) -> tuple[Key, str]:
        """The key, and its id if it is one of ours; the empty id names none, so that no secret of ours prolongs the
        tokens of a published key."""
        if isinstance(kid, str) and (published := self._published.get(kid)) is not None:
            return published, ""
        if isinstance(issuer, str) and (own := self._keys.get(issuer)) is not None:
            return own, issuer
        raise ProtocolError("token_invalid", "neither the token's iss nor its kid names a key of this node")

    def _check_payload(self, payload: _Payload) -> None:
        settings = self._settings
        now = self._wall()
        issued = now if payload.iat is None else min(payload.iat, now)
        if payload.exp - issued > settings.max_ttl_seconds + settings.leeway_seconds:
            raise ProtocolError("token_invalid", f"a token lives at most {settings.max_ttl_seconds:.0f} s")
        if settings.audience:
            audiences = [payload.aud] if isinstance(payload.aud, str) else payload.aud or []
            if settings.audience not in audiences:
                raise ProtocolError("token_invalid", "the token is for another audience (aud)")


def _checked(payload: _Payload) -> _Payload:
    """Names in a token follow the rules for names on the wire. Raises ProtocolError token_invalid."""
    if not is_clean(payload):
        path, rule = find_fault(payload)
        raise ProtocolError("token_invalid", f"the token's claims do not fit: {rule} - at `{path}`")
    return payload


def _claims(payload: _Payload, key_id: str) -> Claims:
    video = payload.video
    grants = Grants(
        room=video.room or "",
        room_join=video.room_join,
        room_admin=video.room_admin,
        room_list=video.room_list,
        can_publish=video.can_publish is not False,
        can_subscribe=video.can_subscribe is not False,
        can_publish_sources=tuple(
            dict.fromkeys(map(SOURCE_NAMES.__getitem__, video.can_publish_sources or ()))
        ),
        can_publish_data=video.can_publish_data is not False,
        hidden=video.hidden,
        chaos=payload.chaos,
        diag=payload.diag,
    )
    return Claims(
        identity=payload.sub,
        expires_at=payload.exp,
        key_id=key_id,
        grants=grants,
        role=_role(payload),
        name=payload.name or "",
        attributes=payload.attributes or {},
        issued_at=payload.iat,
        token_id=payload.jti or "",
        decided_at=payload.iat if payload.orig_iat is None else payload.orig_iat,
    )


def _role(payload: _Payload) -> Role:
    """`roomAdmin` makes at least a moderator, whatever the role says."""
    role = payload.role or "participant"
    return "moderator" if payload.video.room_admin and RANK[role] < RANK["moderator"] else role


def mint(
    key_id: str,
    secret: str,
    *,
    identity: str,
    now: float,
    room: str | None = None,
    role: Role = "participant",
    name: str | None = None,
    ttl_seconds: float = 3600,
    grants: Mapping[str, object] = {},
    audience: str | None = None,
) -> str:
    """Makes an HS256 token that lets `identity` join `room` (None: any). `grants` adds to or overrides `video`;
    `chaos` and `diag` go to the top level. `now` is seconds since the Unix epoch."""
    top = {key: grants[key] for key in ("chaos", "diag") if key in grants}
    video = {"roomJoin": True, **({"room": room} if room is not None else {})}
    if role in ("owner", "moderator"):
        video["roomAdmin"] = True
    video.update({key: value for key, value in grants.items() if key not in top})
    payload: dict[str, Any] = {
        "iss": key_id,
        "sub": identity,
        "iat": int(now),
        "nbf": int(now),
        "exp": int(now + ttl_seconds),
        "role": role,
        "video": video,
        **({"name": name} if name else {}),
        **({"aud": audience} if audience else {}),
        **top,
    }
    return jwt.encode(payload, secret, algorithm="HS256")
