"""How a request is read: whole, in one pass (Request), or the envelope first where a closer look is needed (Envelope)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal, Union

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from palaver.protocol.errors import ProtocolError
from palaver.protocol.methods.table import METHODS
from palaver.protocol.methods.transport import PeerAnswer, PeerOffer

MAX_ID: Final = 2**64 - 1
"""The largest integer that both encodings can write; a client in JavaScript stays below 2**53 by itself."""
MAX_ID_LENGTH: Final = 64
Id = Annotated[int, Meta(ge=0, le=2**63 - 1)] | Annotated[str, Meta(max_length=MAX_ID_LENGTH)]
"""An id as nearly all are; msgspec checks bounds within 63 bits only, what is above is read as a wide envelope."""
TraceParent = Annotated[str, Meta(max_length=64)]

SEALED: Final = {"sdpOffer": PeerOffer, "sdpAnswer": PeerAnswer}
"""method → params whose SDP stays encoded, for one peer to another."""


class Request(Struct, frozen=True, kw_only=True):
    """A request with its params. Without an id it is a notification (JSON-RPC 2.0 § 4.1)."""

    method: ClassVar[str] = ""
    is_sealed: ClassVar[bool] = False

    jsonrpc: Literal["2.0"]
    id: Id | UnsetType = UNSET
    traceparent: TraceParent | UnsetType = UNSET
    params: Any


def _request(method: str) -> type[Request]:
    sealed = SEALED.get(method)
    kind = msgspec.defstruct(
        f"Request_{method}",
        [("params", sealed or METHODS[method].params)],
        bases=(Request,),
        namespace={"method": method, "is_sealed": sealed is not None},
        tag_field="method",
        tag=method,
        frozen=True,
        kw_only=True,
    )
    assert issubclass(kind, Request)
    return kind


AnyRequest: Final = Union[tuple(map(_request, METHODS))]  # noqa: UP007 — made of a table
"""One of all methods' requests."""


class Envelope(Struct, frozen=True):
    """A request, its params still raw. Without an id it is a notification (JSON-RPC 2.0 § 4.1)."""

    jsonrpc: Literal["2.0"]
    method: Annotated[str, Meta(max_length=64)]
    id: Id | UnsetType = UNSET
    params: Raw = Raw(b"")
    traceparent: TraceParent | UnsetType = UNSET


def is_id(id: int | str | UnsetType) -> bool:
    """Whether this is an id that a request may have."""
    if isinstance(id, int):
        return 0 <= id <= MAX_ID
    return isinstance(id, str) and len(id) <= MAX_ID_LENGTH


class WideEnvelope(Envelope, frozen=True):
    """One whose id may be larger, or none that is allowed."""

    id: int | str | UnsetType = UNSET


class Identified(Struct):
    """What is read of a request that is refused; its id may be none that is allowed."""

    id: int | str | UnsetType = UNSET


class Refused(Struct):
    """Stands where an envelope should be: which request (None: that could not be read) broke which rule.

    An id that is UNSET is a notification's, which is not answered.
    """

    id: int | str | UnsetType | None
    error: ProtocolError
