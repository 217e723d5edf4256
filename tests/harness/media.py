"""Real peer connections over loopback: a publisher, a subscriber, and sinks that count."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from palaver.media import AiortcMediaNode
from palaver.rtc import peer_connection
from palaver.signaling.ports import Answer, TransportHandle, TransportState

LOOPBACK = ("127.0.0.1",)
DEADLINE = 20.0


async def eventually(condition: Callable[[], bool], what: str, seconds: float = DEADLINE) -> None:
    """Waits until the condition holds; looks at it once per loop turn or hundredth of a second."""
    try:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"not within {seconds} s: {what}") from None


class Sink:
    """Reads a track to its end and remembers the frames' times."""

    def __init__(self, track: MediaStreamTrack) -> None:
        self.track = track
        self.frames = 0
        self.times: list[float] = []
        self.last: object = None
        self._task = asyncio.create_task(self._run())

    async def more(self, count: int = 5) -> None:
        """Waits for that many frames from now on."""
        goal = self.frames + count
        await eventually(lambda: self.frames >= goal, f"{count} more {self.track.kind} frames")

    async def silence(self, frames_elsewhere: Sink | Callable[[], int], count: int = 8) -> None:
        """Holds once `count` frames were counted elsewhere with none here, after what was under way has
        arrived.
        """
        counted = frames_elsewhere if callable(frames_elsewhere) else lambda: frames_elsewhere.frames
        for _ in range(3):
            mine, goal = self.frames, counted() + count
            await eventually(lambda goal=goal: counted() >= goal, "frames elsewhere")
            if self.frames == mine:
                return
        raise AssertionError("frames keep coming")

    async def _run(self) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                self.last = await self.track.recv()
                self.frames += 1
                self.times.append(self.last.time)


class States:
    """Implements MediaEvents by writing it down."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, TransportState]] = []

    def transport_state(self, handle: TransportHandle, state: TransportState) -> None:
        self.seen.append((f"{handle.peer}/{handle.transport}", state))

    def of(self, handle: TransportHandle) -> list[TransportState]:
        return [state for name, state in self.seen if name == f"{handle.peer}/{handle.transport}"]


class Peer:
    """A client's end of the media node's port: one peer connection to send, one to receive."""

    def __init__(self, node: AiortcMediaNode, name: str, room: str = "r") -> None:
        self.node, self.name, self.room = node, name, room
        self.send = TransportHandle(node.node, room, name, "send")
        self.recv = TransportHandle(node.node, room, name, "recv")
        self.sending = peer_connection(addresses=LOOPBACK)
        self.receiving = peer_connection(addresses=LOOPBACK)
        self.sinks: dict[str, Sink] = {}

    async def publish(self, **tracks: MediaStreamTrack) -> None:
        """Sends the tracks, each as a producer of that name."""
        made = {name: self.sending.addTransceiver(track, "sendonly") for name, track in tracks.items()}
        await self.offer(self.send)
        for name, transceiver in made.items():
            self.node.produce(self.send, name, transceiver.kind, transceiver.mid, False)

    async def subscribe(self, kind: str, producer: str, consumer: str, *, paused: bool = False) -> Sink:
        """Receives a producer, over a free section if there is one, else over a new one."""
        mid = self.node.consume(self.recv, consumer, producer, kind, paused)
        if mid is None:
            self.receiving.addTransceiver(kind, "recvonly")
            mid = (await self.offer(self.recv)).consumers[consumer]
        return self.sink(mid)

    def sink(self, mid: str) -> Sink:
        if mid not in self.sinks:
            transceiver = next(t for t in self.receiving.getTransceivers() if t.mid == mid)
            self.sinks[mid] = Sink(transceiver.receiver.track)
        return self.sinks[mid]

    async def offer(self, handle: TransportHandle) -> Answer:
        pc = self.sending if handle == self.send else self.receiving
        await pc.setLocalDescription(await pc.createOffer())
        direction = "send" if handle == self.send else "recv"
        answer = await self.node.accept_offer(handle, direction, pc.localDescription.sdp)
        await pc.setRemoteDescription(RTCSessionDescription(answer.sdp, "answer"))
        return answer

    async def close(self) -> None:
        await self.sending.close()
        await self.receiving.close()


@contextlib.asynccontextmanager
async def media_node(states: States | None = None) -> AsyncIterator[AiortcMediaNode]:
    """A media node on loopback; fails if it leaves a task, a thread or a socket behind."""
    sockets = open_sockets()
    async with no_tasks_left():
        node = AiortcMediaNode("n1", states or States(), LOOPBACK)
        try:
            yield node
        finally:
            await node.close()
    await eventually(lambda: decoders() == 0, "decoder threads end")
    await eventually(lambda: open_sockets() <= sockets, "sockets are closed")


def decoders() -> int:
    return sum(thread.name.endswith("-decoder") for thread in threading.enumerate())


def open_sockets() -> int:
    count = 0
    for link in list(Path("/proc/self/fd").iterdir()):
        with contextlib.suppress(FileNotFoundError):  # the listing's own descriptor is gone by then
            count += os.readlink(link).startswith("socket:")
    return count


@contextlib.asynccontextmanager
async def no_tasks_left() -> AsyncIterator[None]:
    """Fails if tasks that began inside outlive the block (by more than they need to notice)."""
    before = asyncio.all_tasks()
    yield
    mine = asyncio.current_task()  # a fixture ends in another task than it began in

    def left() -> set[asyncio.Task[object]]:
        return asyncio.all_tasks() - before - {mine}

    await eventually(lambda: not left(), f"tasks end: {left()}")


async def connected(pc: RTCPeerConnection) -> None:
    await eventually(lambda: pc.connectionState == "connected", "the peer connection connects")
