"""Notice: what an authority tells the whole cluster, so that keys change without a restart.

Notices travel as application broadcasts of the gossip. Any member may pass one on; it counts by its signature alone.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import msgspec
from msgspec import Struct

from palaver.core import KeyManager
from palaver.errors import PalaverError

CONTEXT: Final = b"palaver notice v1\0"
MAX_AUTHORITIES: Final = 8
"""A set of eight keys and its signature take 400 of the 850 bytes of a broadcast."""
MARK: Final = b"PN1"
"""A broadcast that begins with this is a notice."""


class NoticeError(PalaverError):
    """A notice is not to be believed, and changed nothing."""


class AuthoritySet(Struct, frozen=True, array_like=True, tag="authorities"):
    """From now on these keys decide. A set with a smaller or the same serial is an old one."""

    serial: int
    keys: tuple[bytes, ...]


class TicketRenewal(Struct, frozen=True, array_like=True, tag="ticket"):
    """A new ticket for one node."""

    public_key: bytes
    ticket: bytes


class _Signed(Struct, frozen=True, array_like=True):
    body: bytes
    signer: bytes
    signature: bytes


Notice = AuthoritySet | TicketRenewal


def sign_notice(notice: Notice, authority: KeyManager, cluster: str) -> bytes:
    """The payload of a broadcast."""
    body = msgspec.msgpack.encode(notice)
    signature = authority.sign(_signed_bytes(cluster, body))
    return MARK + msgspec.msgpack.encode(_Signed(body, authority.public_key, signature))


def is_notice(payload: bytes) -> bool:
    return payload.startswith(MARK)


def read_notice(payload: bytes, authorities: Collection[bytes], cluster: str) -> Notice:
    """What an authority of `authorities` says. Raises NoticeError."""
    try:
        signed = msgspec.msgpack.decode(payload.removeprefix(MARK), type=_Signed)
        if signed.signer not in authorities:
            raise NoticeError("the notice is signed by nobody whose word counts here")
        if not KeyManager(bytes(32)).verify_signature(
            _signed_bytes(cluster, signed.body), signed.signature, signed.signer
        ):
            raise NoticeError("the signature of the notice is false")
        notice: Notice = msgspec.msgpack.decode(signed.body, type=Notice)
    except msgspec.MsgspecError:
        raise NoticeError("the notice is damaged") from None
    if isinstance(notice, AuthoritySet) and (
        not 1 <= len(notice.keys) <= MAX_AUTHORITIES or {len(key) for key in notice.keys} != {32}
    ):
        raise NoticeError(f"a set of authorities has 1 to {MAX_AUTHORITIES} keys of 32 bytes")
    return notice


def _signed_bytes(cluster: str, body: bytes) -> bytes:
    return CONTEXT + cluster.encode() + b"\0" + body
