"""`websockets` with typed messages (msgspec) on uvloop."""

from urllib.parse import parse_qs, urlsplit

import msgspec
import uvloop
from websockets.asyncio.server import ServerConnection, serve


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
clients: dict[str, ServerConnection] = {}


async def relay(socket: ServerConnection) -> None:
    assert socket.request is not None
    own = parse_qs(urlsplit(socket.request.path).query)["id"][0]
    clients[own] = socket
    try:
        async for data in socket:
            message = decode(data)
            other = clients.get(message.to)
            if other is not None:
                await other.send(
                    encode(Delivered(own, message.type, message.sdp, message.generation)), text=True
                )
    finally:
        del clients[own]


async def main() -> None:
    async with serve(relay, "127.0.0.1", 0, compression=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


uvloop.run(main())
