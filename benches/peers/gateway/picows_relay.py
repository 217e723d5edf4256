"""The least that Python can do: picows and typed messages (msgspec) on uvloop, without any server logic."""

from urllib.parse import parse_qs, urlsplit

import msgspec
import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server


class Sent(msgspec.Struct):
    to: str
    type: str
    sdp: str
    generation: int


class Delivered(msgspec.Struct):
    origin: str = msgspec.field(name="from")
    type: str
    sdp: str
    generation: int


decode = msgspec.json.Decoder(Sent).decode
encode = msgspec.json.Encoder().encode
clients: dict[str, WSTransport] = {}
TEXT = WSMsgType.TEXT


class Relay(WSListener):  # type: ignore[misc]
    def __init__(self, own: str) -> None:
        self.own = own

    def on_ws_connected(self, transport: WSTransport) -> None:
        clients[self.own] = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), None)
            transport.disconnect()
            return
        if frame.msg_type != TEXT:
            return
        message = decode(frame.get_payload_as_memoryview())
        other = clients.get(message.to)
        if other is not None:
            other.send(TEXT, encode(Delivered(self.own, message.type, message.sdp, message.generation)))

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        clients.pop(self.own, None)


def listener(request: WSUpgradeRequest) -> Relay:
    return Relay(parse_qs(urlsplit(request.path.decode()).query)["id"][0])


async def main() -> None:
    server = await ws_create_server(listener, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


uvloop.run(main())
