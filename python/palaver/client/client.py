"""One participant in one room: connect, join, call, hear what happens, publish and subscribe.

async with connect("ws://127.0.0.1:7880/v1", token) as client:
    room = await client.join("garden")
    async for event in client.events():
        print(event)
"""

from __future__ import annotations

import contextlib
import random
import ssl
from collections.abc import Callable, Generator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from palaver.client.errors import ClientError
from palaver.client.events import Event, EventStream
from palaver.client.room import Room
from palaver.client.session import Session, State, Token
from palaver.client.wire import Encoding

if TYPE_CHECKING:
    from aiortc import MediaStreamTrack

    from palaver.client.media import Media
    from palaver.client.peer_call import PeerCall
    from palaver.client.publication import Publication
    from palaver.client.subscription import Subscription


class Client:
    """Made by `connect`. Leaves the room when its `async with` block ends.

    `token` may be an async function: it is asked for a fresh token at each attempt. `addresses` are the local
    addresses for media (see `palaver.rtc.peer_connection`). With `reconnect=False` a lost socket ends the
    session. `timeout` is in seconds, for every request.
    """

    def __init__(
        self,
        url: str,
        token: Token,
        *,
        encoding: Encoding = "json",
        reconnect: bool = True,
        timeout: float = 15.0,
        addresses: Sequence[str] = (),
        tls: ssl.SSLContext | None = None,
        headers: dict[str, str] | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self.addresses = tuple(addresses)
        self._media: Media | None = None
        self._session = Session(
            url,
            token,
            encoding=encoding,
            reconnect=reconnect,
            timeout=timeout,
            tls=tls,
            headers=headers,
            chance=chance or random.Random(),
        )

    @property
    def url(self) -> str:
        """Where it is connected: the address it was made with, or that of a node which it was sent to."""
        return self._session.url

    # life

    async def __aenter__(self) -> Client:
        await self._session.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.leave()

    def __await__(self) -> Generator[Any, None, Client]:
        """`client = await connect(…)`, for those who call `leave` themselves. Raises: ConnectionLost."""
        return self.__aenter__().__await__()

    @property
    def state(self) -> State:
        return self._session.state

    @property
    def rtt_seconds(self) -> float | None:
        """Round trip of the last heartbeat."""
        return self._session.rtt_seconds

    async def authenticate(self) -> dict[str, Any]:
        """Authenticates without joining, for requests that need no room. `join` does it by itself."""
        await self._session.open()
        return await self._session.call_now("auth", {"token": await self._session.token()})

    async def join(
        self,
        room: str,
        *,
        name: str | None = None,
        attributes: Mapping[str, str] | None = None,
        subscribe: Literal["auto", "none"] | None = None,
        on_duplicate: Literal["replace", "reject"] | None = None,
    ) -> Room:
        """Joins and returns the room, which is kept up to date from then on. Raises: RequestRefused,
        ConnectionLost.
        """
        if self.state not in ("new", "open"):
            raise ClientError(f"this client is {self.state}; a client joins once")
        self._session.join_params = {
            "room": room,
            "name": name,
            "attributes": attributes,
            "subscribe": subscribe,
            "onDuplicate": on_duplicate,
        }
        await self._session.enter()
        return self.room

    async def leave(self) -> None:
        """Leaves the room, ends all media and closes. Never raises for what the network does."""
        if self._media is not None:
            await self._media.close()
        if self.state == "joined":
            with contextlib.suppress(ClientError):
                await self._session.call_now("leave", {}, seconds=2.0)
        self._session.end(None)
        await self._session.closed()

    # what happens

    @property
    def room(self) -> Room:
        if self._session.room is None:
            raise ClientError("join a room first")
        return self._session.room

    def events(self) -> EventStream:
        """Iterates over what happened since `join`, in order and without gaps; ends when you leave.

        Raises ConnectionLost or RequestRefused when the session ends otherwise. There is one stream: each
        event is given once. Use `on` to hear events in several places.
        """
        return self._session.events

    def on(self, name: str, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Calls `listener` with each event of this name, at once. Returns a function that ends it."""
        key = object()
        listeners = self._session.listeners.setdefault(name, {})
        listeners[key] = listener
        return lambda: listeners.pop(key, None) and None

    # requests

    async def call(self, method: str, /, *, seconds: float | None = None, **params: Any) -> dict[str, Any]:
        """Sends a request and returns its result, within `seconds`; params that are None are left out.

        While the client reconnects the request waits; after a resume it is sent again, which the protocol's
        verbs are made for (give creators an `id` of your own). Raises: RequestRefused, RequestTimeout,
        SessionLost, ConnectionLost.
        """
        return await self._session.call(method, params, seconds)

    # media

    @property
    def media(self) -> Media:
        """Everything about media, peer-to-peer calls too. The first use imports aiortc."""
        if self._media is None:
            from palaver.client.media import Media

            self._media = Media(self)
        return self._media

    async def publish(
        self,
        track: MediaStreamTrack,
        *,
        source: str | None = None,
        label: str | None = None,
        paused: bool = False,
    ) -> Publication:
        """Sends a track to the room through the media node.

        `source` is camera, microphone, screen or screenAudio; None: camera or microphone, by the track's
        kind.
        """
        return await self.media.publish(track, source=source, label=label, paused=paused)

    async def subscribe(self, producer: str, *, paused: bool = False) -> Subscription:
        """Receives a producer of the room (an id of `room.producers`) through the media node."""
        return await self.media.subscribe(producer, paused=paused)

    async def call_peer(self, peer: str, tracks: Sequence[MediaStreamTrack] = ()) -> PeerCall:
        """Calls a peer of the room directly, without the media node, and sends it these tracks."""
        return await self.media.calls.call(peer, tracks)

    def answer_calls(self, answering: Callable[[PeerCall], Sequence[MediaStreamTrack]]) -> None:
        """Answers every peer that calls. `answering` gets the new call and returns the tracks to send back."""
        self.media.calls.answer(answering)


def connect(url: str, token: Token, **options: Any) -> Client:
    """Returns a client for `async with` (or `await`). Options are those of `Client`."""
    return Client(url, token, **options)
