"""The bot against a real node, as a library and as a command."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import av
import pytest

from harness.media import LOOPBACK, eventually, no_tasks_left
from harness.node import RunningNode, running_node
from palaver.client import RequestRefused, connect
from palaver.client.bot import BadMedia, Bot, file_media
from palaver.client.recording import Recording, RecordingError
from palaver.rtc.patterns import TestPicture, TestTone
from palaver.rtc.timeline import Stamper, Timeline


class Reports:
    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, what: str, facts: Any) -> None:
        self.seen.append((what, dict(facts)))

    def names(self) -> list[str]:
        return [what for what, _ in self.seen]


@asynccontextmanager
async def bots(node: RunningNode, *names: str, **options: Any) -> AsyncIterator[list[Bot]]:
    """Runs so many bots until the block ends, then lets them leave."""
    made = [
        Bot(connect(node.url, node.token(name, "r"), addresses=LOOPBACK), room="r", **options)
        for name in names
    ]
    async with asyncio.TaskGroup() as group:
        for bot in made:
            group.create_task(bot.run())
        try:
            yield made
        finally:
            for bot in made:
                bot.stop()


@pytest.mark.parametrize("mode", ["media", "p2p"])
async def test_bots_see_and_hear_each_other(mode: str) -> None:
    async with no_tasks_left(), running_node() as node:
        async with bots(node, "ann", "ben", mode=mode) as (ann, ben):
            for bot, other in (ann, "ben"), (ben, "ann"):
                for source in "camera", "microphone":
                    await eventually(
                        lambda bot=bot, key=f"{other}/{source}": bot.received.get(key, 0) >= 10,
                        f"{other} {source}",
                    )
        assert min(ann.sent.values()) >= 10


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
async def test_a_recording_holds_the_pictures_and_the_sound_that_were_received(
    tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"out{suffix}"
    reports = Reports()
    async with (
        no_tasks_left(),
        running_node() as node,
        bots(node, "ann"),
        bots(node, "rec", record=path, report=reports) as (recorder,),
    ):
        await eventually(lambda: "recording" in reports.names(), "the file is opened")
        seen = recorder.received.get("ann/camera", 0)
        await eventually(lambda: recorder.received.get("ann/camera", 0) >= seen + 15, "pictures")
    with av.open(str(path)) as file:
        kinds = [type(frame).__name__ for frame in file.decode()]
    assert kinds.count("VideoFrame") >= 10
    assert kinds.count("AudioFrame") >= 10


async def test_a_file_is_shown_once_and_then_the_bot_leaves(tmp_path: Path) -> None:
    path = tmp_path / "show.mp4"
    await film(path)
    async with no_tasks_left(), running_node() as node, bots(node, "watcher") as (watcher,):
        client = connect(node.url, node.token("player", "r"), addresses=LOOPBACK)
        async with asyncio.timeout(20):
            await Bot(client, room="r", file=path).run()
        assert watcher.received["player/camera"] > 0


async def test_a_refused_join_is_raised_and_leaves_nothing() -> None:
    async with no_tasks_left(), running_node() as node:
        client = connect(node.url, node.token("x", "another-room"), addresses=LOOPBACK)
        with pytest.raises(RequestRefused):
            await Bot(client, room="r").run()


def test_what_cannot_be_played_or_recorded_is_one_sentence(tmp_path: Path) -> None:
    junk = tmp_path / "junk.mp4"
    junk.write_bytes(b"no film")
    with pytest.raises(BadMedia, match=r"junk\.mp4"):
        file_media(junk)
    with pytest.raises(RecordingError, match="suffix"):
        Recording(tmp_path / "x.txt", ["video"])
    with pytest.raises(RecordingError, match="no directory"):
        Recording(tmp_path / "nowhere" / "x.mp4", ["video"])


async def test_a_hole_in_the_sound_becomes_silence(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    clock = [0.0]
    stamper = Stamper("audio", Timeline(lambda: clock[0]))
    recording = Recording(path, ["audio"])
    tone = TestTone()
    for number in range(10):
        if number == 5:
            clock[0] += 2.0
        (frame,) = stamper.stamp(await tone.recv())
        await recording.write(frame)
    await recording.close()
    with av.open(str(path)) as file:
        samples = sum(frame.samples for frame in file.decode(audio=0))
    assert 2.0 <= samples / 48_000 <= 2.3


async def test_the_command_joins_reports_and_leaves_on_ctrl_c(tmp_path: Path) -> None:
    async with running_node() as node, bots(node, "ann"):
        arguments = [
            "--room",
            "r",
            "--url",
            node.url,
            "--token",
            node.token("cmd", "r"),
            "--address",
            "127.0.0.1",
        ]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "palaver.cli", "bot", *arguments, "--json",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
        assert process.stdout is not None
        seen: list[dict[str, Any]] = []
        expected = ["sending", "watching", "watching"]
        async with asyncio.timeout(30):
            # It publishes and subscribes at the same time: which is told first is chance.
            while sorted(line["event"] for line in seen if line["event"] != "joined") != expected:
                line = await process.stdout.readline()
                assert line, (await process.communicate())[1].decode()
                seen.append(json.loads(line))
            process.send_signal(signal.SIGINT)
            out, err = await process.communicate()
        seen += [json.loads(line) for line in out.splitlines()]
        assert process.returncode == 0, err.decode()
        assert seen[0]["event"] == "joined"
        assert seen[0]["peers"] == ["ann"]
        assert seen[-1]["event"] == "left"
        assert seen[-1]["received"]["ann/camera"] > 0
        assert err.decode() == ""


async def test_the_command_says_in_one_sentence_what_is_wrong() -> None:
    for arguments, code, words in (
        (["--url", "ws://127.0.0.1:1/v1", "--token", "x"], 1, "cannot connect"),
        (["--duration", "soon"], 2, "span of time"),
        (["--record", "x.txt"], 2, "suffix"),
        (["--address", "here"], 2, "IP address"),
        (["--token", "x", "--count", "2"], 2, "one participant"),
    ):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "palaver.cli", "bot", "--room", "r", *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
        _, err = await process.communicate()
        assert process.returncode == code, err.decode()
        assert words in err.decode()
        assert "Traceback" not in err.decode()


async def film(path: Path) -> None:
    """Writes a second of test picture and tone."""
    recording = Recording(path, ["video", "audio"])
    timeline = Timeline()

    async def feed(track: TestPicture | TestTone, count: int) -> None:
        stamper = Stamper(track.kind, timeline)
        for _ in range(count):
            for frame in stamper.stamp(await track.recv()):
                await recording.write(frame)

    await asyncio.gather(feed(TestPicture(), 15), feed(TestTone(), 50))
    await recording.close()
