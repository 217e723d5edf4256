"""On which line of a TOML text a key stands: tomllib does not tell, and an error needs its line."""

from __future__ import annotations

import contextlib
import re
import tomllib
from collections.abc import Iterator, Mapping

KeyPath = tuple[str | int, ...]
"""("gateway", "origins", 0): keys of tables, and positions in arrays from 0."""

# The tokens of TOML 1.0 ("Comment", "Keys", "String"), tried in this order; the last takes any character.
_TOKEN = re.compile(
    r"""(?P<space>[ \t\r]+|\#[^\n]*)
      | (?P<newline>\n)
      | (?P<string>\"{3}(?:\\.|[^\\])*?\"{3,5} | '{3}.*?'{3,5} | "(?:\\.|[^"\\\n])*" | '[^'\n]*')
      | (?P<mark>[\[\]{},=.])
      | (?P<bare>[^\s"'\#\[\]{},=.]+)
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_DEEPEST = 64  # containers in containers; a setting has two


def key_lines(text: str) -> dict[KeyPath, int]:
    """Maps each key path of a TOML document to the line (from 1) where it first stands.

    The text should have passed tomllib. For any other the answer is of little use, but nothing is raised.
    """
    scanner = _Scanner(text)
    with contextlib.suppress(_ScanError):  # what was found so far still helps
        scanner.document()
    return scanner.lines


def line_of(lines: Mapping[KeyPath, int], path: KeyPath) -> int | None:
    """The line of the path, or of the nearest thing around it that has one."""
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return None


class _ScanError(Exception):
    """The text is not TOML from here on."""


class _Scanner:
    def __init__(self, text: str) -> None:
        self.lines: dict[KeyPath, int] = {}
        self._tables: dict[KeyPath, int] = {}  # how often [[path]] has stood
        self._tokens = self._tokenise(text)
        self._kind, self._text, self._line = "newline", "\n", 0
        self._next()

    @staticmethod
    def _tokenise(text: str) -> Iterator[tuple[str, str, int]]:
        line = 1
        for match in _TOKEN.finditer(text):
            kind = match.lastgroup or "other"
            if kind != "space":
                yield kind, match.group(), line
            line += match.group().count("\n")
        yield "end", "", line

    def _next(self) -> None:
        self._kind, self._text, self._line = next(self._tokens, ("end", "", self._line))

    def _expect(self, mark: str) -> None:
        if self._kind != "mark" or self._text != mark:
            raise _ScanError
        self._next()

    def _skip_newlines(self) -> None:
        while self._kind == "newline":
            self._next()

    def _at(self, mark: str) -> bool:
        return self._kind == "mark" and self._text == mark

    def document(self) -> None:
        prefix: KeyPath = ()
        while self._kind != "end":
            if self._kind == "newline":
                self._next()
            elif self._at("["):
                prefix = self._header()
            else:
                self._pair(prefix, 0)
                if self._kind not in ("newline", "end"):
                    raise _ScanError

    def _header(self) -> KeyPath:
        self._expect("[")
        many = self._at("[")
        if many:
            self._expect("[")
        line = self._line
        path: KeyPath = ()
        for part in self._key():
            path = (*path, part)
            self._found(path, line)
            if path in self._tables:  # [a.b] after [[a]] speaks of the last a
                path = (*path, self._tables[path])
        self._expect("]")
        if many:
            self._expect("]")
            bare = path[:-1] if path and isinstance(path[-1], int) else path
            self._tables[bare] = self._tables.get(bare, -1) + 1
            path = (*bare, self._tables[bare])
            self._found(path, line)
        return path

    def _pair(self, prefix: KeyPath, depth: int) -> None:
        line = self._line
        path = prefix
        for part in self._key():
            path = (*path, part)
            self._found(path, line)
        self._expect("=")
        self._value(path, depth)

    def _key(self) -> list[str]:
        parts = []
        while True:
            if self._kind == "bare":
                parts.append(self._text)
            elif self._kind == "string":
                parts.append(_unquote(self._text))
            else:
                raise _ScanError
            self._next()
            if not self._at("."):
                return parts
            self._next()

    def _value(self, path: KeyPath, depth: int) -> None:
        if depth > _DEEPEST:
            raise _ScanError
        if self._at("{"):
            self._next()
            self._skip_newlines()
            while not self._at("}"):
                self._pair(path, depth + 1)
                self._comma("}")
            self._next()
        elif self._at("["):
            self._next()
            self._skip_newlines()
            index = 0
            while not self._at("]"):
                self._found((*path, index), self._line)
                self._value((*path, index), depth + 1)
                self._comma("]")
                index += 1
            self._next()
        elif self._kind == "string":
            self._next()
        else:  # a number, date or word; 1.5 and 07:32:00 are several tokens
            if self._kind != "bare":
                raise _ScanError
            while self._kind == "bare" or self._at("."):
                self._next()

    def _comma(self, closing: str) -> None:
        self._skip_newlines()
        if not self._at(closing):
            self._expect(",")
            self._skip_newlines()

    def _found(self, path: KeyPath, line: int) -> None:
        self.lines.setdefault(path, line)


def _unquote(token: str) -> str:
    try:
        return str(tomllib.loads(f"key = {token}")["key"])
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise _ScanError from error
