"""What we need to know of an SDP before aiortc sees it, and the text that aiortc should see.

aiortc parses in one go and fails with whatever exception the bad line happens to cause, half-way through
changing the peer connection. Here the rules that a WebRTC description must keep (RFC 8829 § 5, RFC 9143) are
checked first, with the line at fault.
"""

from __future__ import annotations

import re

from msgspec import Struct

from palaver.rtc.candidates import parse_candidate

MAX_SECTIONS = 64
"""Media sections in one description. Each that carries media to us costs a decoder thread."""
MAX_CANDIDATES = 64
"""Candidates used of one description; every one costs connectivity checks."""

_M_LINE = re.compile(r"m=([a-z]+) (\d{1,5}) ([A-Z/]+) (.+)")
_DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")


class SdpError(ValueError):
    """The SDP breaks a rule. `line` counts from 1; None where the fault is in no single line."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


class Section(Struct, frozen=True):
    mid: str
    kind: str
    """audio, video or application."""
    direction: str
    line: int


class Description(Struct, frozen=True):
    """A checked description."""

    text: str
    """For aiortc: without candidates and end-of-candidates, each section with its direction."""
    sections: tuple[Section, ...]
    candidates: tuple[str, ...]
    """Of the bundle's first section, else of the first section that has any."""
    identity: tuple[str, ...]
    """ICE credentials and certificate fingerprints: another identity means another peer connection at the far
    end.
    """

    @property
    def mids(self) -> list[str]:
        return [section.mid for section in self.sections]

    @staticmethod
    def parse(sdp: str) -> Description:
        """Raises: SdpError."""
        return _Parser(sdp).description()


class _Parser:
    def __init__(self, sdp: str) -> None:
        self.lines = sdp.splitlines()
        if not self.lines or not self.lines[0].startswith("v=0"):
            raise SdpError("an SDP starts with v=0", 1)
        starts = [i for i, line in enumerate(self.lines) if line.startswith("m=")]
        if not starts:
            raise SdpError("there is no media section (m= line)")
        if len(starts) > MAX_SECTIONS:
            raise SdpError(f"more than {MAX_SECTIONS} media sections", starts[MAX_SECTIONS] + 1)
        self.session = self.lines[: starts[0]]
        self.blocks = [
            (start, self.lines[start:end])
            for start, end in zip(starts, [*starts[1:], len(self.lines)], strict=True)
        ]

    def description(self) -> Description:
        sections: list[Section] = []
        identity: tuple[str, ...] = ()
        candidates: list[list[str]] = []
        text = self.session[:]
        for start, block in self.blocks:
            section = self._section(start, block)
            if section.mid in [other.mid for other in sections]:
                raise SdpError(f"mid {section.mid!r} is used twice", section.line)
            sections.append(section)
            identity = identity or self._identity(start, block)
            candidates.append([line for line in block if line.startswith("a=candidate:")])
            text += [line for line in block if not line.startswith(("a=candidate:", "a=end-of-candidates"))]
            if section.kind != "application" and not any(f"a={d}" in block for d in _DIRECTIONS):
                text.append(f"a={section.direction}")
        self._check_bundle(sections)
        return Description(
            text="\r\n".join(text) + "\r\n",
            sections=tuple(sections),
            candidates=tuple(next(filter(None, candidates), [])[:MAX_CANDIDATES]),
            identity=identity,
        )

    def _section(self, start: int, block: list[str]) -> Section:
        line = start + 1
        match = _M_LINE.fullmatch(block[0].rstrip())
        if match is None:
            raise SdpError("not a media section (m=<kind> <port> <protocol> <formats>)", line)
        kind, port = match[1], int(match[2])
        if kind not in ("audio", "video", "application"):
            raise SdpError(f"unknown media kind {kind!r}", line)
        if port == 0 and "a=bundle-only" not in block:
            raise SdpError(
                "rejected section (port 0): make its direction inactive instead of stopping it", line
            )
        mid = self._value(block, "mid")
        if not mid:
            raise SdpError("the media section has no a=mid", line)
        if kind != "application" and "a=rtcp-mux" not in block:
            raise SdpError("the media section has no a=rtcp-mux", line)
        for number, text in enumerate(block, line):
            if text.startswith("a=candidate:") and not _well_formed(text):
                raise SdpError("not a candidate", number)
        inherited = next((d for d in _DIRECTIONS if f"a={d}" in self.session), "sendrecv")
        direction = next((d for d in _DIRECTIONS if f"a={d}" in block), inherited)
        return Section(mid=mid, kind=kind, direction=direction, line=line)

    def _identity(self, start: int, block: list[str]) -> tuple[str, ...]:
        values = []
        for name in ("ice-ufrag", "ice-pwd", "fingerprint", "setup"):
            value = self._value(block, name) or self._value(self.session, name)
            if not value:
                raise SdpError(f"the media section has no a={name}", start + 1)
            values.append(value)
        return tuple(values[:3])

    def _check_bundle(self, sections: list[Section]) -> None:
        if len(sections) == 1:
            return
        for number, line in enumerate(self.session, 1):
            if line.startswith("a=group:BUNDLE"):
                missing = {section.mid for section in sections} - set(line.split()[1:])
                if missing:
                    raise SdpError(f"section {min(missing)!r} is not in the BUNDLE group", number)
                return
        raise SdpError("several media sections need a=group:BUNDLE (RFC 9143)")

    @staticmethod
    def _value(lines: list[str], name: str) -> str | None:
        prefix = f"a={name}:"
        return next((line.removeprefix(prefix).strip() for line in lines if line.startswith(prefix)), None)


def _well_formed(line: str) -> bool:
    """TCP and mDNS candidates are well formed, though we have no use for them."""
    return parse_candidate(line) is not None or len(line.split()) >= 8
