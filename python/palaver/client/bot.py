"""A participant without a person: shows a test picture or a file, watches everybody, records what it sees.

async with connect(url, token) as client:
    await Bot(client, room="garden").run(seconds=10)
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from palaver.client.client import Client
from palaver.client.errors import ClientError, MediaEnded
from palaver.client.events import Event
from palaver.client.peer_call import PeerCall
from palaver.client.peer_calls import TRANSPORT
from palaver.client.recording import Recorder
from palaver.errors import PalaverError
from palaver.rtc.patterns import TestPicture, TestTone

Mode = Literal["media", "p2p"]
Report = Callable[[str, Mapping[str, Any]], None]
"""Called with the name and the facts of each thing that happens; see `Bot`."""

PROGRESS_SECONDS = 10.0
SOURCES = {"audio": "microphone", "video": "camera"}


class Bot:
    """Runs once. Reports: joined, sending, watching, unwatched, recording, peerJoined, peerLeft,
    reconnecting, resumed, rejoined, connection, problem, progress, left.

    `record` names the file for what the first watched participant sends; each further one gets a file of its
    own beside it.
    """

    def __init__(
        self,
        client: Client,
        *,
        room: str,
        name: str | None = None,
        mode: Mode = "media",
        file: Path | None = None,
        record: Path | None = None,
        report: Report = lambda what, facts: None,
    ) -> None:
        self.client = client
        self.sent: dict[str, int] = {}
        """Kind → frames sent; up to date with every report of progress, and when `run` has ended."""
        self.received: dict[str, int] = {}
        """identity/source → frames received."""
        self._room, self._name, self._mode = room, name, mode
        self._file = file
        self._report = report
        self._recorder = (
            Recorder(record, lambda path: report("recording", {"file": str(path)})) if record else None
        )
        self._tracks: list[MediaStreamTrack] = []
        self._watching: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()
        self._left = False
        self._failure: BaseException | None = None

    def stop(self) -> None:
        """Lets `run` come to its end."""
        self._over.set()

    async def run(self, seconds: float | None = None) -> None:
        """Joins, shows, watches; ends after `seconds`, with the file, on `stop`, or with the session. Then
        leaves.

        Raises: RequestRefused, ConnectionLost, BadMedia, RecordingError.
        """
        self._tracks = pattern_media() if self._file is None else file_media(self._file)
        for track in self._tracks:
            track.on("ended", self._track_ended)
        following: asyncio.Task[None] | None = None
        try:
            room = await self.client.join(self._room, name=self._name)
            peers = [peer.identity for peer in room.peers.values()]
            self._tell("joined", room=room.id, peer=room.you.id, identity=room.you.identity, peers=peers)
            following = asyncio.create_task(self._follow(), name="bot: events")
            following.add_done_callback(lambda task: self._over.set())
            self._spawn(self._progress(), "bot: progress")
            if self._mode == "p2p":
                await self._talk()
            else:
                await self._show()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._over.wait()
            if following.done():
                following.result()
            if self._failure is not None:
                raise self._failure
        finally:
            await self._wind_up(following)

    def _track_ended(self) -> None:
        if all(track.readyState == "ended" for track in self._tracks):
            self._over.set()

    # to the media node

    async def _show(self) -> None:
        for producer in list(self.client.room.producers):
            self._spawn(self._watch(producer), f"bot: watching {producer}")
        publications = [await self.client.publish(track) for track in self._tracks]
        self._tell("sending", kinds=[publication.kind for publication in publications])

    async def _watch(self, producer: str) -> None:
        known = self.client.room.producers.get(producer)
        # What is labelled as peer-to-peer never reaches the media node.
        if known is None or producer in self._watching or known.kind == "data" or known.label == TRANSPORT:
            return
        self._watching.add(producer)
        try:
            subscription = await self.client.subscribe(producer)
            await self._read(subscription.track, known.peer, known.source)
        except MediaEnded:
            pass  # closed before we saw it
        finally:
            self._watching.discard(producer)

    # from peer to peer

    async def _talk(self) -> None:
        self.client.answer_calls(self._answer)
        for track in self._tracks:
            # Nobody can consume these: they tell the room what there is, and whether it is muted.
            await self.client.call(
                "createProducer",
                id=secrets.token_hex(12),
                transport=TRANSPORT,
                kind=track.kind,
                source=SOURCES[track.kind],
                label=TRANSPORT,
            )
        self._tell("sending", kinds=[track.kind for track in self._tracks])
        for peer in list(self.client.room.peers):
            self._spawn(self._call(peer), f"bot: calling {peer}")

    async def _call(self, peer: str) -> None:
        if peer not in self.client.media.calls.open:  # it may have called us meanwhile
            self._listen(await self.client.call_peer(peer, self._tracks))

    def _answer(self, call: PeerCall) -> list[MediaStreamTrack]:
        self._listen(call)
        return self._tracks

    def _listen(self, call: PeerCall) -> None:
        def hear(track: MediaStreamTrack) -> None:
            self._spawn(self._read(track, call.peer, SOURCES[track.kind]), f"bot: hearing {call.peer}")

        for track in call.tracks:
            hear(track)
        call.on_track = hear
        call.on_state = lambda state: self._tell("connection", peer=self._who(call.peer), state=state)

    # both

    async def _follow(self) -> None:
        async for event in self.client.events():
            self._heard(event)

    def _heard(self, event: Event) -> None:
        if event.name == "producerAdded" and self._mode == "media":
            self._spawn(self._watch(event["id"]), f"bot: watching {event['id']}")
        elif event.name == "rejoined" and self._mode == "p2p":
            self._spawn(self._talk(), "bot: calling everybody again")
        elif event.name in ("peerJoined", "peerLeft", "reconnecting", "resumed", "rejoined"):
            self._tell(event.name, **event.params)

    async def _read(self, track: MediaStreamTrack, peer: str, source: str) -> None:
        who = f"{self._who(peer)}/{source}"
        frames = 0
        recording = None
        try:
            while True:
                frame = await track.recv()
                if not frames:
                    self._tell("watching", what=who)
                    if self._recorder is not None:
                        recording = await self._recorder.join(
                            peer, "audio" if track.kind == "audio" else "video"
                        )
                frames += 1
                self.received[who] = self.received.get(who, 0) + 1
                if recording is not None:
                    await recording.write(frame)
        except MediaStreamError:
            if frames:
                self._tell("unwatched", what=who, frames=frames)

    def _who(self, peer: str) -> str:
        known = self.client.room.peers.get(peer)
        return known.identity if known is not None else peer

    async def _progress(self) -> None:
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            self._report("progress", self._counts())

    def _counts(self) -> dict[str, Any]:
        if self._tracks and self.client.state != "new":
            self.sent = self.client.media.sources.frames
        return {"sent": self.sent, "received": dict(self.received)}

    def _tell(self, what: str, /, **facts: Any) -> None:
        if not self._left:
            self._report(what, facts)

    def _spawn(self, work: Any, name: str) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, ClientError):
            self._tell("problem", message=str(error))
        elif error is not None:
            self._failure = error
            self._over.set()

    async def _wind_up(self, following: asyncio.Task[None] | None) -> None:
        counts = self._counts()
        self._left = True
        tasks = [*self._tasks, *([following] if following is not None else [])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if self._recorder is not None:
            await self._recorder.close()
        await self.client.leave()
        for track in self._tracks:
            track.stop()
        if following is not None:
            self._report("left", counts)


class BadMedia(PalaverError):
    """The media file cannot be played."""


def pattern_media() -> list[MediaStreamTrack]:
    return [TestPicture(), TestTone()]


def file_media(path: Path) -> list[MediaStreamTrack]:
    """The file's first picture and sound track, in real time. Raises: BadMedia."""
    from aiortc.contrib.media import MediaPlayer

    try:
        player = MediaPlayer(str(path))
    except (OSError, ValueError) as error:
        raise BadMedia(f"{path} cannot be played: {error}") from error
    tracks = [track for track in (player.video, player.audio) if track is not None]
    if not tracks:
        raise BadMedia(f"{path} has neither picture nor sound")
    return tracks
