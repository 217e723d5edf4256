from __future__ import annotations

import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from palaver.cli.options import Json, StateDir, Verbose
from palaver.cli.output import say, say_json

if TYPE_CHECKING:
    from palaver.client.bot import Bot


class ModeName(StrEnum):
    media = "media"
    p2p = "p2p"


def bot(
    room: Annotated[str, typer.Option(help="The room to join.")],
    url: Annotated[str, typer.Option(help="The node's gateway.")] = "ws://127.0.0.1:7880/v1",
    token: Annotated[
        str | None,
        typer.Option(
            envvar="PALAVER_TOKEN", help="Who joins. Without it one is signed as `palaver token` does."
        ),
    ] = None,
    identity: Annotated[str, typer.Option(help="Who joins, where no token says so.")] = "bot",
    file: Annotated[
        Path | None,
        typer.Option(
            help="A media file to show, once, instead of the test picture.", dir_okay=False, exists=True
        ),
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Record what comes in: .mp4, .mkv, .webm or .wav.", dir_okay=False),
    ] = None,
    mode: Annotated[
        ModeName, typer.Option(help="Through the media node, or from peer to peer.")
    ] = ModeName.media,
    duration: Annotated[str | None, typer.Option(help="Leave after this time: 30, 90s, 15m.")] = None,
    count: Annotated[
        int, typer.Option(help="How many bots; they are named identity-1, identity-2, …", min=1)
    ] = 1,
    address: Annotated[
        list[str] | None,
        typer.Option(
            metavar="IP", help="A local address for media; repeatable. Without: all that can matter."
        ),
    ] = None,
    state_dir: StateDir = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Join a room as a participant without a person.

    It shows a moving test picture and a tone, or a media file, watches everybody, and can record each
    participant to a file. Ends with Ctrl-C, with the file, or after --duration.

    \b
    Examples:
      palaver bot --room demo
      palaver bot --room demo --record out.mp4 --duration 30
      palaver bot --room demo --mode p2p --count 2
    """
    import asyncio

    import uvloop

    from palaver.cli.names import protocol_name
    from palaver.client import connect
    from palaver.client.bot import Bot
    from palaver.client.recording import RecordingError, check

    seconds = None if duration is None else _seconds(duration)
    room = protocol_name("--room", room)
    if token is not None and count > 1:
        raise typer.BadParameter("one token is one participant", param_hint="--count")
    addresses = tuple(_address(text) for text in address or ())
    names = [identity] if count == 1 else [f"{identity}-{n}" for n in range(1, count + 1)]
    files = _files(record, count)
    try:
        for path in files:
            if path is not None:
                check(path)
    except RecordingError as error:
        raise typer.BadParameter(str(error), param_hint="--record") from None
    tokens = [token] if token is not None else [_minted(room, name, state_dir) for name in names]

    async def live() -> None:
        bots = []
        for name, secret, path in zip(names, tokens, files, strict=True):
            reporter = Reporter(name, count, json)
            client = connect(url, secret, addresses=addresses)
            bots.append(
                Bot(client, room=room, mode=mode.value, file=file, record=path, report=reporter.report)
            )
        _listen_to_signals(bots)
        async with asyncio.TaskGroup() as group:
            for one in bots:
                group.create_task(one.run(seconds), name="bot")

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        _unwrapped(runner, live())


class Reporter:
    """Prints what a bot reports: as sentences, or as one line of JSON each."""

    def __init__(self, name: str, count: int, json: bool) -> None:
        self._name = name
        self._prefix = f"{name}: " if count > 1 else ""
        self._json = json

    def report(self, what: str, facts: Mapping[str, Any]) -> None:
        if self._json:
            say_json({"event": what, "bot": self._name, **facts})
        else:
            say(self._prefix + _sentence(what, facts))


def _sentence(what: str, facts: Mapping[str, Any]) -> str:
    match what:
        case "joined":
            others = ", ".join(facts["peers"]) or "nobody else yet"
            return f"joined {facts['room']} as {facts['identity']}; here: {others}"
        case "sending":
            return f"sending {' and '.join(facts['kinds'])}"
        case "watching":
            return f"receiving {facts['what']}"
        case "unwatched":
            return f"no longer receiving {facts['what']} ({facts['frames']} frames)"
        case "recording":
            return f"recording to {facts['file']}"
        case "peerJoined":
            return f"{facts['identity']} joined"
        case "peerLeft":
            return f"{facts['peer']} left ({facts.get('reason', 'left')})"
        case "connection":
            return f"connection with {facts['peer']}: {facts['state']}"
        case "reconnecting":
            return f"connection lost ({facts['reason']}); attempt {facts['attempt']}"
        case "problem":
            return f"problem: {facts['message']}"
        case "progress" | "left":
            sent = ", ".join(f"{count} {kind}" for kind, count in facts["sent"].items() if count)
            received = ", ".join(f"{count} of {who}" for who, count in facts["received"].items())
            words = f"frames sent: {sent or 'none'}; received: {received or 'none'}"
            return words if what == "progress" else f"left; {words}"
        case _:
            return what


def _listen_to_signals(bots: list[Bot]) -> None:
    import asyncio
    import signal

    def stop() -> None:
        for one in bots:
            one.stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)


def _unwrapped(runner: Any, work: Any) -> None:
    """Runs it; the first error of several is as good as any, and has a sentence of its own."""
    try:
        runner.run(work)
    except BaseExceptionGroup as group:
        errors = group.exceptions
        raise errors[0] from None


def _files(record: Path | None, count: int) -> list[Path | None]:
    if record is None or count == 1:
        return [record] * count
    return [record.with_stem(f"{record.stem}-bot{n}") for n in range(1, count + 1)]


def _seconds(text: str) -> float:
    from palaver.cli.duration import seconds

    try:
        return seconds(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--duration") from None


def _address(text: str) -> str:
    from ipaddress import ip_address

    try:
        return str(ip_address(text))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not an IP address", param_hint="--address") from None


def _minted(room: str, identity: str, state_dir: Path | None) -> str:
    """A token signed with the development key, which a running `palaver dev` accepts."""
    import time

    from palaver.cli.names import protocol_name
    from palaver.settings import dev_keys, load
    from palaver.settings import state_dir as find_state_dir
    from palaver.signaling.tokens import mint

    settings = load(None, environ=os.environ, dev=True, files=False)
    key_id, secret = dev_keys(find_state_dir(state_dir, environ=os.environ, settings=settings))
    identity = protocol_name("--identity", identity)
    return mint(key_id, secret, identity=identity, room=room, ttl_seconds=86_400, now=time.time())
