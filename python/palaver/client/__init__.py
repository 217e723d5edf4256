"""The Python client: join a room, hear its events, send and receive media.

    async with connect("ws://127.0.0.1:7880/v1", token) as client:
        room = await client.join("garden")
        async for event in client.events():
            print(event)

Importing this package does not import aiortc; the first use of media does.
"""

from palaver.client.client import Client, connect
from palaver.client.errors import (
    ClientError,
    ConnectionLost,
    MediaEnded,
    RequestRefused,
    RequestTimeout,
    SessionLost,
)
from palaver.client.events import Event
from palaver.client.room import Peer, Producer, Room

__all__ = [
    "Client",
    "ClientError",
    "ConnectionLost",
    "Event",
    "MediaEnded",
    "Peer",
    "Producer",
    "RequestRefused",
    "RequestTimeout",
    "Room",
    "SessionLost",
    "connect",
]
