"""Settings from their sources: defaults < TOML file < environment < flags. Strict: nothing is passed over.

An error says where (file and line, variable or flag), what the rule is, and the nearest name to one that is
unknown. All problems are found at once. A load changes nothing: after a failed reload the old settings hold.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from palaver.errors import SettingsError
from palaver.settings.describe import ENV_PREFIX, Setting, all_settings
from palaver.settings.lines import KeyPath, key_lines, line_of
from palaver.settings.rules import broken_rules
from palaver.settings.tree import Settings

MAX_FILE_BYTES = 1 << 20
"""A file of all settings is 10 KiB; public keys are under 1 KiB each."""


class Override(NamedTuple):
    """One value from outside the file. A string for a setting of another type is parsed (see parse_text)."""

    origin: str
    """What to blame: "--port"."""
    path: str
    """"gateway.port", or "auth.keys.ID" for one entry of a table."""
    value: object


class Problem(Struct, frozen=True):
    """Why the settings cannot be used."""

    where: str
    """The file, or the variable or flag."""
    line: int | None
    message: str

    def __str__(self) -> str:
        return f"{self.where}:{self.line}: {self.message}" if self.line else f"{self.where}: {self.message}"


def load(
    path: str | Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    overrides: Iterable[Override] = (),
    base: Settings | None = None,
    dev: bool = False,
    files: bool = True,
) -> Settings:
    """Reads settings; `path` is a TOML file, `base` stands in for the defaults, `dev` allows weak secrets.
    Without `files` the certificate need not be readable, for whoever only mints tokens.

    Raises SettingsError: one line for each problem.
    """
    settings, problems = read(path, environ=environ, overrides=overrides, base=base, dev=dev, files=files)
    if settings is None:
        raise SettingsError("\n".join(map(str, problems)))
    return settings


def read(
    path: str | Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    overrides: Iterable[Override] = (),
    base: Settings | None = None,
    dev: bool = False,
    files: bool = True,
) -> tuple[Settings | None, list[Problem]]:
    """As load, but gives the problems as data; there are settings only if there are no problems."""
    reader = _Reader(base or Settings())
    if path is not None:
        reader.file(Path(path))
    reader.environment(environ or {})
    for override in overrides:
        reader.override(override)
    if not reader.problems:
        settings = msgspec.convert(reader.values, Settings)
        for broken in broken_rules(settings, dev=dev, files=files):
            reader.broken(broken.paths, broken.message)
        if not reader.problems:
            return settings, []
    return None, reader.problems


class _Reader:
    """Collects values, each with where it came from, and problems."""

    def __init__(self, base: Settings) -> None:
        self.values: dict[str, dict[str, Any]] = msgspec.to_builtins(base)
        self.problems: list[Problem] = []
        self._origins: dict[str, tuple[str, int | None]] = {}
        self._settings = {setting.path: setting for setting in all_settings()}

    def file(self, path: Path) -> None:
        where = str(path)
        try:
            with path.open("rb") as file:
                raw = file.read(MAX_FILE_BYTES + 1)
            if len(raw) > MAX_FILE_BYTES:
                self._problem(where, None, f"is larger than {MAX_FILE_BYTES} bytes")
                return
            text = raw.decode("utf-8-sig")
        except OSError as error:
            self._problem(where, None, f"cannot be read: {error.strerror or error}")
            return
        except UnicodeDecodeError as error:
            self._problem(where, raw.count(b"\n", 0, error.start) + 1, "is not UTF-8")
            return
        try:
            document = tomllib.loads(text)
        except ValueError as error:  # TOMLDecodeError, or an integer of too many digits
            message, line = _split_position(str(error), text)
            self._problem(where, line, f"is not TOML: {message}")
        except RecursionError:
            self._problem(where, None, "is nested too deeply")
        else:
            self._document(document, where, key_lines(text))

    def _document(self, document: dict[str, Any], where: str, lines: Mapping[KeyPath, int]) -> None:
        for group, table in document.items():
            if group not in self.values:
                near = _near(group, [*self.values, *self._settings])
                self._problem(where, line_of(lines, (group,)), f"unknown key {group}{near}")
                continue
            if not isinstance(table, dict):
                self._problem(where, line_of(lines, (group,)), f"{group} must be a table: [{group}]")
                continue
            for name, value in table.items():
                if setting := self._settings.get(f"{group}.{name}"):
                    self._take(setting, value, where, lines)
                else:
                    near = _near(name, self.values[group])
                    self._problem(where, line_of(lines, (group, name)), f"unknown key {group}.{name}{near}")

    def environment(self, environ: Mapping[str, str]) -> None:
        # The shorter name first: PALAVER_AUTH__KEYS replaces the table, PALAVER_AUTH__KEYS__ID adds to it.
        for variable in sorted(environ, key=lambda one: (one.count("__"), one)):
            if not variable.startswith(ENV_PREFIX):
                continue
            group, found, rest = variable.removeprefix(ENV_PREFIX).partition("__")
            if not found:
                self._single_underscore(variable, environ[variable])
                continue
            name, _, entry = rest.partition("__")
            path = f"{group.lower()}.{name.lower()}" + (f".{entry}" if entry else "")
            self.override(Override(variable, path, environ[variable]))

    def _single_underscore(self, variable: str, text: str) -> None:
        """PALAVER_GATEWAY_PORT is a slip, unless Kubernetes made it for a service named palaver-gateway."""
        for setting in self._settings.values():
            if variable == setting.env.replace("__", "_") and not text.startswith(("tcp://", "udp://")):
                self._problem(variable, None, f"is not read; did you mean {setting.env}?")

    def override(self, override: Override) -> None:
        where, path, value = override
        group, _, rest = path.partition(".")
        name, _, entry = rest.partition(".")
        setting = self._settings.get(f"{group}.{name}")
        if setting is None or (entry and not setting.is_table):
            if where.startswith(ENV_PREFIX):
                near = _near(where, [one.env for one in self._settings.values()])
                self._problem(where, None, f"unknown setting{near}")
            else:
                self._problem(where, None, f"unknown setting {path}{_near(path, self._settings)}")
            return
        if entry:
            value = {**self.values[group][name], entry: value}
        elif isinstance(value, str):
            try:
                value = parse_text(setting, value)
            except ValueError as error:
                self._problem(where, None, f"{path} {error}")
                return
        self._take(setting, value, where, {}, entry)

    def _take(
        self, setting: Setting, value: object, where: str, lines: Mapping[KeyPath, int], entry: str = ""
    ) -> None:
        line = line_of(lines, (setting.group, setting.name))
        try:
            checked: Struct = msgspec.convert({setting.name: value}, setting.owner)
        except msgspec.ValidationError:
            part, shown = _wrong_part(value)
            line = line_of(lines, (setting.group, setting.name, *part))
            instead = "" if setting.secret else f", not {shown}"
            self._problem(where, line, f"{setting.path} must be {setting.rule}{instead}")
            return
        self.values[setting.group][setting.name] = msgspec.to_builtins(getattr(checked, setting.name))
        if entry:
            self._origins[f"{setting.path}.{entry}"] = (where, None)
            return
        self._origins[setting.path] = (where, line)
        for key, _ in _parts(value):
            place = (where, line_of(lines, (setting.group, setting.name, key)))
            self._origins[f"{setting.path}.{key}"] = place

    def broken(self, paths: tuple[str, ...], message: str) -> None:
        """Blames the first of the paths that was set at all."""
        places = (self._origins[path] for path in paths if path in self._origins)
        where, line = next(places, ("settings", None))
        self._problem(where, line, message)

    def _problem(self, where: str, line: int | None, message: str) -> None:
        self.problems.append(Problem(where, line, message))


def parse_text(setting: Setting, text: str) -> object:
    """The value that a text from the environment or a flag means for this setting.

    Strings stand as they are; lists are separated by commas, or JSON; tables are JSON.
    Raises ValueError: the rule.
    """
    if setting.is_text:
        return text
    if setting.is_list and not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(",")] if text.strip() else []
    if setting.is_list or setting.is_table:
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            form = "separated by commas, or a JSON array" if setting.is_list else "as a JSON object"
            raise ValueError(f"must be {setting.rule} {form}") from None
    try:
        return getattr(msgspec.convert({setting.name: text}, setting.owner, strict=False), setting.name)
    except msgspec.ValidationError:
        raise ValueError(f"must be {setting.rule}, not {_shown(text)}") from None


def _wrong_part(value: object) -> tuple[KeyPath, str]:
    """Where in a list or table of strings the first thing is that is none, and what it is."""
    for key, part in _parts(value):
        if not isinstance(part, str):
            return (key,), _shown(part)
    return (), _shown(value)


def _parts(value: object) -> Iterable[tuple[str | int, object]]:
    if isinstance(value, list):
        return enumerate(value)
    return value.items() if isinstance(value, dict) else ()


def _shown(value: object) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):  # an integer of 5000 digits
        return f"this {type(value).__name__}"
    return text if len(text) <= 60 else text[:57] + "…"


def _near(name: str, known: Iterable[str]) -> str:
    """ "; did you mean …?", or nothing if no name is near. A bare field name finds its full path."""
    known = list(known)
    by_last = {path.rpartition(".")[2]: path for path in reversed(known)}
    candidates = [*known, *by_last]
    matches = difflib.get_close_matches(name.lower(), [one.lower() for one in candidates], n=1, cutoff=0.6)
    if not matches:
        return ""
    best = next(one for one in candidates if one.lower() == matches[0])
    return f"; did you mean {by_last.get(best, best)}?"


def _split_position(message: str, text: str) -> tuple[str, int]:
    match = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", message)
    if match is None:
        return message, 1
    line = int(match[1]) if match[1] else text.count("\n") + (not text.endswith("\n"))
    return message[: match.start()], max(1, line)
