"""Scenarios: what a load test does, as TOML. The presets are files of the same form (`palaver/bench/presets`)."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from palaver.errors import SettingsError

PRESETS: Final = ("relay", "trickle", "fanout", "joins", "storm", "idle", "slow-reader", "mixed")
MAX_FILE_BYTES: Final = 1 << 20

Count = Annotated[int, Meta(ge=1, le=200_000)]
Rate = Annotated[float, Meta(gt=0, le=1e6)]
Seconds = Annotated[float, Meta(ge=0, le=86_400)]
SdpBytes = Annotated[int, Meta(ge=512, le=200_000)]
MessageBytes = Annotated[int, Meta(ge=32, le=2048)]


class ScenarioError(SettingsError):
    """The scenario is not one; says where it breaks which rule. Nothing has been connected."""


class Load(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", rename="kebab"):
    """What all kinds of stages have."""

    name: str = ""
    """What it is called in tables; empty: its kind."""
    window: Count = 1
    """Closed loop: messages (or bursts) under way in each flow."""
    rate: Rate | None = None
    """Open loop instead: messages, bursts or clients per second over all flows, whatever comes back."""

    @property
    def label(self) -> str:
        return self.name or str(self.__struct_config__.tag)


class Relay(Load, frozen=True, tag="relay"):
    """Offers between the two of each room, from the first to the second."""

    pairs: Count = 64
    bytes: SdpBytes = 2048
    """Of each SDP."""
    replies: bool = False
    """Send requests, which are answered, rather than notifications."""


class Trickle(Load, frozen=True, tag="trickle"):
    """Bursts of ICE candidates between the two of each room, one candidate a message."""

    pairs: Count = 64
    burst: Count = 10
    bytes: MessageBytes = 200
    """Of each candidate."""


class Fanout(Load, frozen=True, tag="fanout"):
    """Events of a room that everybody in it is told."""

    rooms: Count = 1
    room_size: Count = 100
    bytes: MessageBytes = 2048


class Joins(Load, frozen=True, tag="joins"):
    """Clients that connect, authenticate and join, leave, and come again."""

    clients: Count = 64
    """That many are on their way at once."""
    room_size: Count = 1
    """How many share a room."""


class Storm(Load, frozen=True, tag="storm"):
    """Everybody joins one room at the same moment, from the connection on."""

    sessions: Count = 300


class Idle(Load, frozen=True, tag="idle"):
    """Sessions in rooms of two: one sends the other some offers, then both are silent. What they cost in memory."""

    sessions: Count = 5000
    messages: Annotated[int, Meta(ge=0, le=1000)] = 4
    bytes: SdpBytes = 2048
    seen: bool = True
    """Say what they have seen. Otherwise the node keeps it for them, as for clients of another make."""


class SlowReader(Load, frozen=True, tag="slow-reader"):
    """A room's events to some that read and some that never do."""

    readers: Count = 4
    slow: Count = 20
    bytes: MessageBytes = 2048


Kind = Relay | Trickle | Fanout | Joins | Storm | Idle | SlowReader


class Scenario(Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """A whole load test."""

    stage: Annotated[list[Kind], Meta(min_length=1, max_length=16)]
    about: str = ""
    warm_up: Seconds = 2.0
    seconds: Annotated[float, Meta(gt=0, le=86_400)] = 10.0
    """How long is measured."""
    connecting: Count = 128
    """Clients that connect at once while the test is set up."""
    connect_seconds: Annotated[float, Meta(gt=0, le=3600)] = 60.0
    """How long setting up may take."""

    @property
    def is_storm(self) -> bool:
        return isinstance(self.stage[0], Storm)


class _File(Struct, frozen=True):
    """What a file says, before its tables are told apart."""

    stage: list[dict[str, Any]]


def preset(name: str) -> Scenario:
    """One of PRESETS."""
    text = files("palaver.bench").joinpath("presets", f"{name}.toml").read_text("utf-8")
    return parse(text, name)


def load_scenario(path: Path) -> Scenario:
    """Reads a scenario from a TOML file. Raises ScenarioError: where it breaks which rule."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
        if len(raw) > MAX_FILE_BYTES:
            raise ScenarioError(f"{path}: is larger than {MAX_FILE_BYTES} bytes")
        return parse(raw.decode(), str(path))
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise ScenarioError(f"{path}: is not UTF-8") from None


def parse(text: str, where: str) -> Scenario:
    """Reads a scenario from TOML; `where` is what errors blame."""
    try:
        scenario = msgspec.convert(tomllib.loads(text), Scenario)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ScenarioError(f"{where}: is not TOML: {error}") from None
    except msgspec.ValidationError as error:
        raise ScenarioError(f"{where}: {error}") from None
    if len(scenario.stage) > 1 and any(isinstance(stage, Storm) for stage in scenario.stage):
        raise ScenarioError(f"{where}: a storm is the only stage of its scenario")
    labels = [stage.label for stage in scenario.stage]
    if len(set(labels)) < len(labels):
        raise ScenarioError(f"{where}: two stages have the same name; give them a `name` each")
    return scenario


Option = Literal["pairs", "sessions", "clients", "room_size", "rooms", "window", "rate", "bytes", "burst"]


def adjusted(scenario: Scenario, where: str, **changes: Any) -> Scenario:
    """The scenario with other numbers; those of stages go to each stage that has them.

    Raises ScenarioError for a number that is out of range, or that no stage has.
    """
    raw = msgspec.to_builtins(scenario)
    for name, value in changes.items():
        if value is None:
            continue
        key = name.replace("_", "-")
        places = [raw] if key in raw else [stage for stage in raw["stage"] if key in stage]
        if not places:
            raise ScenarioError(f"{where}: no stage has {key}")
        for place in places:
            place[key] = value
        try:
            scenario = msgspec.convert(raw, Scenario)
        except msgspec.ValidationError as error:
            rule = str(error).partition(" - at ")[0]  # the rest is a path in a file that nobody has written
            raise ScenarioError(f"{where}: {key} ({value}): {rule}") from None
    return scenario
