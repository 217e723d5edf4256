"""How messages are encoded: JSON-RPC 2.0 as JSON in text frames, or as MessagePack in binary frames.

Reading: `request(message)` decodes a good request, which nearly all are, in one pass. What it leaves, `requests(message)` splits
into envelopes; `params` stay raw bytes until `params_of` decodes them into the method's Struct, and anything that is refused is a
ProtocolError with the rule that was broken.
Writing: `reply`, `failure`, and `event`, which puts `epoch, seq, prev` before a body that was encoded once.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Raw, Struct

from palaver.core import is_sound_sdp, json_shape
from palaver.protocol.errors import ProtocolError
from palaver.protocol.events import Event
from palaver.protocol.frames import BINARY, TEXT, data_frame
from palaver.protocol.request import AnyRequest, Envelope, Identified, Refused, Request, WideEnvelope, is_id
from palaver.protocol.text import find_fault, is_clean
from palaver.protocol.types import Params

MAX_NESTING: Final = 32
MAX_BATCH: Final = 32
MAX_SEALED: Final = 16 * 1024
"""Bytes of an SDP that is passed on without being decoded. Nearly all are smaller."""

P = TypeVar("P", bound=Params)

Decoder = msgspec.json.Decoder[Any] | msgspec.msgpack.Decoder[Any]


class _Reply(Struct):
    jsonrpc: str
    id: int | str | None
    result: Any


class _Failure(Struct):
    jsonrpc: str
    id: int | str | None
    error: dict[str, Any]


class Codec(ABC):
    """One encoding; there are two: JSON and MSGPACK. The decoder of a method is built at its first use and kept."""

    name: str
    _encode: Callable[[Any], bytes]
    _encode_into: Callable[[Any, bytearray], None]
    _decode_request: Callable[[bytes], Request]
    _decode_envelope: Callable[[bytes], Envelope]
    _is_msgpack: bool
    _null: bytes
    _empty: bytes
    """An object without fields: what absent params stand for."""

    def __init__(self) -> None:
        self._decoders: dict[type[Params], Decoder] = {}
        self._heads: dict[str, bytes] = {}
        """Event → how its notification begins."""
        self._scratch = bytearray()

    @abstractmethod
    def request(self, message: bytes) -> Request | None:
        """A good request; None where `requests` has to look closer, and perhaps to say what is wrong."""

    def _request(self, message: bytes, is_plain: bool) -> Request | None:
        try:
            request = self._decode_request(message)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        params = request.params
        if request.is_sealed and not is_sound_sdp(bytes(params.sdp), MAX_SEALED, self._is_msgpack):
            return None
        return request if is_plain or is_clean(params) else None

    def requests(self, message: bytes) -> tuple[list[Envelope | Refused], bool]:
        """Splits a message into its requests; the flag says whether it was a batch (JSON-RPC 2.0 § 6)."""
        may_be_deep = self._may_nest_deeper(message, MAX_NESTING)
        if not self._is_batch(message):
            return [self._shallow(message, MAX_NESTING) if may_be_deep else self._envelope(message)], False
        try:
            parts: list[Raw] = self._decode(message, list[Raw])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return [Refused(None, _unreadable(error))], False
        if not 1 <= len(parts) <= MAX_BATCH:
            rule = f"a batch holds 1 to {MAX_BATCH} requests, this one {len(parts)}"
            return [Refused(None, ProtocolError("invalid_request", rule))], False
        if may_be_deep:
            return [self._shallow(bytes(part), MAX_NESTING - 1) for part in parts], True
        return [self._envelope(bytes(part)) for part in parts], True

    def params_of(self, raw: Raw, kind: type[P]) -> P:
        """Decodes raw params into the method's Struct. Raises ProtocolError invalid_params with the field's path."""
        data = bytes(raw)
        try:
            params: P = self._decode_params(data, kind)
        except msgspec.ValidationError as error:
            message, path = split_path(str(error))
            raise ProtocolError("invalid_params", message, path=path) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ProtocolError("invalid_params", str(error), path="$") from None
        if not self._is_plain(data) and not is_clean(params):
            path, rule = find_fault(params)
            raise ProtocolError("invalid_params", rule, path=path)
        return params

    def text(self, raw: Raw) -> str:
        """A string that was left encoded. It is known to be good."""
        text: str = self._decode(bytes(raw), str)
        return text

    def reply(self, request: int | str, result: Any) -> bytes:
        return self._encode(_Reply("2.0", request, result))

    def failure(self, request: int | str | None, error: ProtocolError) -> bytes:
        return self._encode(_Failure("2.0", request, error.body()))

    @abstractmethod
    def batch(self, replies: list[bytes]) -> bytes: ...

    def body(self, event: Event) -> bytes:
        """The event's own fields, to be shared by all receivers.

        It is kept, so it is made in one piece of the right size: an encoder's own result has grown in steps, and what is left
        over between such pieces is too small for the next (3.1 KB for 2 KB of SDP, and 0.6 µs more).
        """
        scratch = self._scratch
        self._encode_into(event, scratch)
        return bytes(scratch)

    def translate(self, other: Codec, body: bytes) -> bytes:
        """The body of an event that another codec has encoded."""
        return self._encode(other._decode(body, Any))

    def frame(self, message: bytes) -> bytes:
        """A message as the frame that carries it."""
        return data_frame(BINARY if self._is_msgpack else TEXT, message)

    @abstractmethod
    def event(self, method: str, epoch: int, seq: int, prev: int, body: bytes) -> bytes:
        """A whole notification: the head of one receiver before the body of all."""

    def _shallow(self, message: bytes, levels: int) -> Envelope | Refused:
        """The envelope of a message with very many containers, unless they nest deeper than `levels`."""
        envelope = self._envelope(message)
        if isinstance(envelope, Refused) or not self._nests_deeper(message, levels):
            return envelope
        rule = f"a message nests at most {MAX_NESTING} levels deep"
        if self._nests_deeper(bytes(envelope.params) or self._null, levels - 1):
            return Refused(envelope.id, ProtocolError("invalid_params", rule, path="$"))
        return Refused(envelope.id, ProtocolError("invalid_request", rule))

    def _envelope(self, message: bytes) -> Envelope | Refused:
        try:
            return self._decode_envelope(message)
        except msgspec.ValidationError as error:
            text, path = split_path(str(error))
            if path == "$.id" and (wide := self._wide_envelope(message)) is not None:
                return wide
            return Refused(self._id_of(message), ProtocolError("invalid_request", text, path=path))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return Refused(None, _unreadable(error))

    def _wide_envelope(self, message: bytes) -> Envelope | None:
        """The envelope with an integer id of 64 bits; None where that is not what was wrong."""
        try:
            envelope: Envelope = self._decode(message, WideEnvelope)
        except (msgspec.DecodeError, RecursionError, ValueError):  # ValueError: more digits than Python reads
            return None
        return envelope if is_id(envelope.id) else None

    def _id_of(self, message: bytes) -> int | str | None:
        try:
            found: int | str = self._decode(message, Identified).id
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
            return None
        return found if is_id(found) else None

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
    def _may_nest_deeper(self, message: bytes, levels: int) -> bool:
        """Whether it is worth a closer look: cheap, and never False for what nests deeper."""

    @abstractmethod
    def _nests_deeper(self, message: bytes, levels: int) -> bool:
        """Whether arrays and objects of a message that can be decoded nest deeper than so many levels."""

    @abstractmethod
    def _is_plain(self, data: bytes) -> bool:
        """Whether the bytes alone show that no text in them breaks a rule, so that nobody need look."""


class JsonCodec(Codec):
    name = "json"
    _is_msgpack = False
    _null, _empty = b"null", b"{}"

    def __init__(self) -> None:
        super().__init__()
        encoder = msgspec.json.Encoder()
        self._encode, self._encode_into = encoder.encode, encoder.encode_into
        self._decode_request = msgspec.json.Decoder(AnyRequest).decode
        self._decode_envelope = msgspec.json.Decoder(Envelope).decode

    def request(self, message: bytes) -> Request | None:
        shape = json_shape(message, MAX_NESTING)
        if shape & _DEEP or message[:1] != b"{":
            return None
        return self._request(message, not shape)

    def _decoder(self, kind: Any) -> Decoder:
        return msgspec.json.Decoder(kind)

    def _decode(self, message: bytes, kind: Any) -> Any:
        return msgspec.json.decode(message, type=kind)

    def _is_batch(self, message: bytes) -> bool:
        return message[:1] != b"{" and message[:64].lstrip(b" \t\r\n")[:1] == b"["

    def _may_nest_deeper(self, message: bytes, levels: int) -> bool:
        return json_shape(message, levels) & _DEEP != 0

    def _nests_deeper(self, message: bytes, levels: int) -> bool:
        # Every step is one pass in C, because an attacker chooses what comes here: without the strings and all but the
        # brackets, taking out the innermost pairs lowers the whole by one level.
        text = message.replace(rb"\\", b"").replace(rb"\"", b"")
        brackets = b"".join(text.split(b'"')[::2]).translate(_SQUARE, _NO_BRACKETS)
        for _ in range(levels):
            brackets = brackets.replace(b"[]", b"")
            if not brackets:
                return False
        return True

    def _is_plain(self, data: bytes) -> bool:
        return json_shape(data, MAX_NESTING) & _ODD == 0

    def batch(self, replies: list[bytes]) -> bytes:
        return b"[" + b",".join(replies) + b"]"

    def event(self, method: str, epoch: int, seq: int, prev: int, body: bytes) -> bytes:
        head = self._heads.get(method)
        if head is None:
            head = f'{{"jsonrpc":"2.0","method":"{method}","params":{{"epoch":'.encode()
            self._heads[method] = head
        if body == b"{}":
            return b'%b%d,"seq":%d,"prev":%d}}' % (head, epoch, seq, prev)
        return b'%b%d,"seq":%d,"prev":%d,%b}' % (head, epoch, seq, prev, body[1:])

    @staticmethod
    def kind_and_body(frame: bytes) -> tuple[str, bytes]:
        """The name and the body of the event in a text frame that the core has made (SealedRelay.frame)."""
        name = frame.index(b'"method":"') + len(b'"method":"')
        start = frame.index(b",", frame.index(b'"prev":', name)) + 1
        return frame[name : frame.index(b'"', name)].decode(), b"{" + frame[start:-1]


class MsgpackCodec(Codec):
    name = "msgpack"
    _is_msgpack = True
    _null, _empty = b"\xc0", b"\x80"

    def __init__(self) -> None:
        super().__init__()
        encoder = msgspec.msgpack.Encoder()
        self._encode, self._encode_into = encoder.encode, encoder.encode_into
        self._decode_request = msgspec.msgpack.Decoder(AnyRequest).decode
        self._decode_envelope = msgspec.msgpack.Decoder(Envelope).decode
        self._epoch_seq_prev = [self._encode(key) for key in ("epoch", "seq", "prev")]

    def request(self, message: bytes) -> Request | None:
        if self._is_batch(message) or self._may_nest_deeper(message, MAX_NESTING):
            return None
        return self._request(message, is_plain=False)

    def _decoder(self, kind: Any) -> Decoder:
        return msgspec.msgpack.Decoder(kind)

    def _decode(self, message: bytes, kind: Any) -> Any:
        return msgspec.msgpack.decode(message, type=kind)

    def _is_batch(self, message: bytes) -> bool:
        first = message[0] if message else 0
        return 0x90 <= first <= 0x9F or first in (0xDC, 0xDD)

    def _may_nest_deeper(self, message: bytes, levels: int) -> bool:
        return len(message) - len(message.translate(None, _MSGPACK_OPENERS)) > levels

    def _nests_deeper(self, message: bytes, levels: int) -> bool:
        # Reading it whole is ten times as fast as stepping through its bytes here. A key given twice counts once, as it
        # does for whoever reads the message.
        try:
            level = [msgspec.msgpack.decode(message)]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, TypeError):
            return True  # keys that no object can have, or a depth that no decoder bears
        for _ in range(levels):
            level = [inner for outer in level if outer.__class__ in _CONTAINERS for inner in _inner(outer)]
            if not level:
                return False
        return any(outer.__class__ in _CONTAINERS for outer in level)

    def _is_plain(self, data: bytes) -> bool:
        return False  # its own heads are not ASCII

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
        keys, encode = self._epoch_seq_prev, self._encode
        first = body[0]
        if 0x80 <= first < 0x8D:  # a map of so few fields that three more keep its header a byte
            size, rest = _ONE_BYTE[first + 3], 1
        else:
            count, rest = _map_header(body)
            size = b"\xde" + (count + 3).to_bytes(2, "big")
        return b"".join(
            (head, size, keys[0], encode(epoch), keys[1], encode(seq), keys[2], encode(prev), body[rest:])
        )


_ODD, _DEEP = 1, 2
"""Bits of json_shape."""
_ONE_BYTE: Final = tuple(bytes((each,)) for each in range(256))
_SQUARE: Final = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS: Final = bytes(each for each in range(256) if each not in b"[]{}")


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


def _inner(container: Any) -> Iterable[Any]:
    """What a decoded array or map holds; as a key, an array is a tuple."""
    return chain(container, container.values()) if container.__class__ is dict else container


_CONTAINERS: Final = frozenset({dict, list, tuple})
_MSGPACK_OPENERS: Final = bytes([*range(0x80, 0xA0), 0xDC, 0xDD, 0xDE, 0xDF])


JSON: Final = JsonCodec()
MSGPACK: Final = MsgpackCodec()
