"""How messages are encoded: JSON-RPC 2.0 as JSON in text frames, or as MessagePack in binary frames.

Reading: `requests(message)` splits a message into envelopes; `params` stay raw bytes until `params_of` decodes them into
the method's Struct. Anything that is refused is a ProtocolError with the rule that was broken.
Writing: `reply`, `failure`, and `event`, which puts `epoch, seq, prev` before a body that was encoded once.
"""

from __future__ import annotations

import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from palaver.protocol.errors import ProtocolError
from palaver.protocol.events import Event
from palaver.protocol.types import Params

MAX_NESTING: Final = 32
MAX_BATCH: Final = 32

Id = Annotated[int, Meta(ge=0, le=2**53 - 1)] | Annotated[str, Meta(max_length=64)]
P = TypeVar("P", bound=Params)

Decoder = msgspec.json.Decoder[Any] | msgspec.msgpack.Decoder[Any]

_EMPTY: Final = Raw(b"")


class Envelope(Struct, frozen=True):
    """A request, its params still raw. Without an id it is a notification (JSON-RPC 2.0 § 4.1)."""

    jsonrpc: Literal["2.0"]
    method: Annotated[str, Meta(max_length=64)]
    id: Id | UnsetType = UNSET
    params: Raw = _EMPTY
    traceparent: Annotated[str, Meta(max_length=64)] | UnsetType = UNSET


class _Identified(Struct):
    id: Id | UnsetType = UNSET


class _Reply(Struct):
    jsonrpc: str
    id: int | str | None
    result: Any


class _Failure(Struct):
    jsonrpc: str
    id: int | str | None
    error: dict[str, Any]


class Refused(Struct):
    """Stands where an envelope should be: which request (if that could be read) broke which rule."""

    id: int | str | None
    error: ProtocolError


class Codec(ABC):
    """One encoding; there are two: JSON and MSGPACK. The decoder of a method is built at its first use and kept."""

    name: str
    _encode: Callable[[Any], bytes]
    _decode_envelope: Callable[[bytes], Envelope]
    _null: bytes
    _empty: bytes
    """An object without fields: what absent params stand for."""

    def __init__(self) -> None:
        self._decoders: dict[type[Params], Decoder] = {}

    def requests(self, message: bytes) -> tuple[list[Envelope | Refused], bool]:
        """Splits a message into its requests; the flag says whether it was a batch (JSON-RPC 2.0 § 6)."""
        if not self._is_batch(message):
            return [self._envelope(message)], False
        try:
            parts: list[Raw] = self._decode(message, list[Raw])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return [Refused(None, _unreadable(error))], False
        if not 1 <= len(parts) <= MAX_BATCH:
            rule = f"a batch holds 1 to {MAX_BATCH} requests, this one {len(parts)}"
            return [Refused(None, ProtocolError("invalid_request", rule))], False
        return [self._envelope(bytes(part)) for part in parts], True

    def params_of(self, raw: Raw, kind: type[P]) -> P:
        """Decodes raw params into the method's Struct. Raises ProtocolError invalid_params with the field's path."""
        data = bytes(raw)
        if self._nests_too_deep(data):
            raise ProtocolError("invalid_params", f"nested deeper than {MAX_NESTING} levels", path="$")
        try:
            params: P = self._decode_params(data, kind)
        except msgspec.ValidationError as error:
            message, path = split_path(str(error))
            raise ProtocolError("invalid_params", message, path=path) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ProtocolError("invalid_params", str(error), path="$") from None
        if not is_nfc(params):
            path = next(where for where, text in _texts(params, "$") if not is_nfc(text))
            raise ProtocolError("invalid_params", "text must be in Unicode NFC", path=path)
        return params

    def reply(self, request: int | str, result: Any) -> bytes:
        return self._encode(_Reply("2.0", request, result))

    def failure(self, request: int | str | None, error: ProtocolError) -> bytes:
        return self._encode(_Failure("2.0", request, error.body()))

    @abstractmethod
    def batch(self, replies: list[bytes]) -> bytes: ...

    def body(self, event: Event) -> bytes:
        """The event's own fields, to be shared by all receivers."""
        return self._encode(event)

    @abstractmethod
    def event(self, method: str, epoch: int, seq: int, prev: int, body: bytes) -> bytes:
        """A whole notification: the head of one receiver before the body of all."""

    def _envelope(self, message: bytes) -> Envelope | Refused:
        try:
            return self._decode_envelope(message)
        except msgspec.ValidationError as error:
            text, path = split_path(str(error))
            return Refused(self._id_of(message), ProtocolError("invalid_request", text, path=path))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return Refused(None, _unreadable(error))

    def _id_of(self, message: bytes) -> int | str | None:
        try:
            found = self._decode(message, _Identified).id
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        return None if found is UNSET else found

    def _decode_params(self, data: bytes, kind: type[P]) -> P:
        decoder = self._decoders.get(kind)
        if decoder is None:
            decoder = self._decoders[kind] = self._decoder(kind)
        params: P = decoder.decode(data if data and data != self._null else self._empty)
        return params

    @abstractmethod
    def _decoder(self, kind: Any) -> Decoder: ...

    @abstractmethod
    def _decode(self, message: bytes, kind: Any) -> Any: ...

    @abstractmethod
    def _is_batch(self, message: bytes) -> bool: ...

    @abstractmethod
    def _nests_too_deep(self, data: bytes) -> bool: ...


class JsonCodec(Codec):
    name = "json"
    _null, _empty = b"null", b"{}"

    def __init__(self) -> None:
        super().__init__()
        self._encode = msgspec.json.Encoder().encode
        self._decode_envelope = msgspec.json.Decoder(Envelope).decode

    def _decoder(self, kind: Any) -> Decoder:
        return msgspec.json.Decoder(kind)

    def _decode(self, message: bytes, kind: Any) -> Any:
        return msgspec.json.decode(message, type=kind)

    def _is_batch(self, message: bytes) -> bool:
        return message[:1] != b"{" and message[:64].lstrip(b" \t\r\n")[:1] == b"["

    def _nests_too_deep(self, data: bytes) -> bool:
        # Counting is two memchr scans; only a message with very many brackets is looked at closely.
        if data.count(b"{") + data.count(b"[") <= MAX_NESTING:
            return False
        depth = 0
        for token in _JSON_STRUCTURE.findall(data):
            if token in b"[{":
                depth += 1
                if depth > MAX_NESTING:
                    return True
            elif token in b"]}":
                depth -= 1
        return False

    def batch(self, replies: list[bytes]) -> bytes:
        return b"[" + b",".join(replies) + b"]"

    def event(self, method: str, epoch: int, seq: int, prev: int, body: bytes) -> bytes:
        head = f'{{"jsonrpc":"2.0","method":"{method}","params":{{"epoch":{epoch},"seq":{seq},"prev":{prev}'
        if body == b"{}":
            return head.encode() + b"}}"
        return b"%b,%b}" % (head.encode(), body[1:])


class MsgpackCodec(Codec):
    name = "msgpack"
    _null, _empty = b"\xc0", b"\x80"

    def __init__(self) -> None:
        super().__init__()
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode_envelope = msgspec.msgpack.Decoder(Envelope).decode
        self._epoch_seq_prev = [self._encode(key) for key in ("epoch", "seq", "prev")]
        self._heads: dict[str, bytes] = {}

    def _decoder(self, kind: Any) -> Decoder:
        return msgspec.msgpack.Decoder(kind)

    def _decode(self, message: bytes, kind: Any) -> Any:
        return msgspec.msgpack.decode(message, type=kind)

    def _is_batch(self, message: bytes) -> bool:
        first = message[0] if message else 0
        return 0x90 <= first <= 0x9F or first in (0xDC, 0xDD)

    def _nests_too_deep(self, data: bytes) -> bool:
        # Few bytes can open a map or an array; only a message with very many of them is looked at closely.
        if len(data) - len(data.translate(None, _MSGPACK_OPENERS)) <= MAX_NESTING:
            return False
        return _msgpack_depth_exceeds(data, MAX_NESTING)

    def batch(self, replies: list[bytes]) -> bytes:
        count = len(replies)
        return (bytes([0x90 | count]) if count < 16 else b"\xdc" + count.to_bytes(2, "big")) + b"".join(
            replies
        )

    def event(self, method: str, epoch: int, seq: int, prev: int, body: bytes) -> bytes:
        head = self._heads.get(method)
        if head is None:
            head = b"\x83" + b"".join(map(self._encode, ("jsonrpc", "2.0", "method", method, "params")))
            self._heads[method] = head
        count, rest = _map_header(body)
        fields = count + 3
        size = bytes([0x80 | fields]) if fields < 16 else b"\xde" + fields.to_bytes(2, "big")
        keys = self._epoch_seq_prev
        encode = self._encode
        return b"".join(
            (head, size, keys[0], encode(epoch), keys[1], encode(seq), keys[2], encode(prev), body[rest:])
        )


_JSON_STRUCTURE: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]')
_PATH: Final = re.compile(r"^(.*?)(?: - at `(?:key` in `|key in `?)?(.*?)`)?$", re.DOTALL)


def split_path(message: str) -> tuple[str, str]:
    """Splits msgspec's "Expected `int` - at `$.a.b`" into the rule and the JSON path."""
    match = _PATH.match(message)
    assert match is not None  # the pattern matches any text
    return match[1], match[2] or "$"


def _unreadable(error: Exception) -> ProtocolError:
    if isinstance(error, RecursionError):
        return ProtocolError("parse_error", f"nested deeper than {MAX_NESTING} levels")
    if isinstance(error, msgspec.ValidationError):
        return ProtocolError("invalid_request", str(error))
    return ProtocolError("parse_error", str(error) or None)


def _map_header(body: bytes) -> tuple[int, int]:
    """The number of pairs of an encoded map, and where its first key begins."""
    first = body[0]
    if first & 0xF0 == 0x80:
        return first & 0x0F, 1
    return int.from_bytes(body[1:3], "big"), 3  # map 16: no event has 65,536 fields


def _msgpack_depth_exceeds(data: bytes, limit: int) -> bool:
    """Whether arrays and maps nest deeper than `limit`; False for what cannot be decoded anyway."""
    open_containers: list[int] = []
    position, end = 0, len(data)
    while position < end:
        while open_containers and open_containers[-1] == 0:
            open_containers.pop()
        if open_containers:
            open_containers[-1] -= 1
        children, position = _msgpack_step(data, position)
        if children:
            open_containers.append(children)
            if len(open_containers) > limit:
                return True
    return False


def _msgpack_step(data: bytes, at: int) -> tuple[int, int]:
    """Reads one MessagePack head at `at`: how many values it contains, and where the next head is."""
    first = data[at]
    if first < 0x80 or first >= 0xE0:
        return 0, at + 1
    if first < 0x90:
        return 2 * (first & 0x0F), at + 1
    if first < 0xA0:
        return first & 0x0F, at + 1
    if first < 0xC0:
        return 0, at + 1 + (first & 0x1F)
    if first in _MSGPACK_FIXED:
        return 0, at + 1 + _MSGPACK_FIXED[first]
    width, extra, per_item = _MSGPACK_SIZED.get(first, (0, 0, 0))
    size = int.from_bytes(data[at + 1 : at + 1 + width], "big")
    if per_item:
        return per_item * size, at + 1 + width
    return 0, at + 1 + width + extra + size


_MSGPACK_OPENERS: Final = bytes([*range(0x80, 0xA0), 0xDC, 0xDD, 0xDE, 0xDF])

# MessagePack's formats: first byte → bytes that follow; first byte → (width of the size, extra bytes, values per item).
_MSGPACK_FIXED: Final = {
    0xC0: 0, 0xC1: 0, 0xC2: 0, 0xC3: 0, 0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2,
    0xD2: 4, 0xD3: 8, 0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17,
}  # fmt: skip
_MSGPACK_SIZED: Final = {
    0xC4: (1, 0, 0), 0xC5: (2, 0, 0), 0xC6: (4, 0, 0), 0xC7: (1, 1, 0), 0xC8: (2, 1, 0), 0xC9: (4, 1, 0),
    0xD9: (1, 0, 0), 0xDA: (2, 0, 0), 0xDB: (4, 0, 0), 0xDC: (2, 0, 1), 0xDD: (4, 0, 1), 0xDE: (2, 0, 2),
    0xDF: (4, 0, 2),
}  # fmt: skip


def is_nfc(value: Any) -> bool:
    """Whether all text is in Unicode normalization form C: twins that look alike would be two names.

    ASCII, which nearly all text is, is told by a flag of the string. An SDP is no name: it is left as it came.
    """
    kind = type(value)
    if kind is str:
        return value.isascii() or unicodedata.is_normalized("NFC", value)
    if kind is list:
        return all(map(is_nfc, value))
    if kind is dict:
        return all(map(is_nfc, value)) and all(map(is_nfc, value.values()))
    if isinstance(value, Struct):
        for name in value.__struct_fields__:
            field = getattr(value, name)
            if field.__class__ is str:
                if not field.isascii() and name != "sdp" and not unicodedata.is_normalized("NFC", field):
                    return False
            elif field.__class__ not in _NO_TEXT and not is_nfc(field):
                return False
    return True


_NO_TEXT: Final = frozenset({int, float, bool, type(None), UnsetType})


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Struct):
        names = zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
        for attribute, name in names:
            yield from _texts(getattr(value, attribute), f"{path}.{name}")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(key, path)
            yield from _texts(item, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, f"{path}[{index}]")


JSON: Final = JsonCodec()
MSGPACK: Final = MsgpackCodec()
