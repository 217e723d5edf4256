"""JSON-RPC 2.0 messages of the client, as JSON or MessagePack (protocol § 1)."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Encoding = Literal["json", "msgpack"]


class Message(msgspec.Struct, frozen=True):
    """What a node sends: a reply (id, and result or error), or an event (method and params)."""

    id: int | str | None = None
    method: str | None = None
    params: dict[str, Any] | None = None
    result: Any = None
    error: dict[str, Any] | None = None


class Codec:
    def __init__(self, encoding: Encoding) -> None:
        self.binary = encoding == "msgpack"
        library = msgspec.msgpack if self.binary else msgspec.json
        self._encode = library.Encoder().encode
        self._decode = library.Decoder(Message | list[Message]).decode

    def request(self, id: int, method: str, params: dict[str, Any]) -> bytes:
        message: bytes = self._encode({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
        return message

    def decode(self, data: bytes) -> list[Message]:
        """Raises: ValueError for anything that is no message."""
        try:
            decoded = self._decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(f"not a message: {error}") from error
        return decoded if isinstance(decoded, list) else [decoded]
