"""What `palaver dev` prints is enough to join."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from msgspec.structs import replace

from palaver.cli.dev import plain, typed, welcome_of
from palaver.settings import AuthSettings, NodeSettings, Settings
from palaver.signaling.tokens import TokenVerifier

SETTINGS = Settings(node=NodeSettings(state_dir="/state"), auth=AuthSettings(keys={"devkey": "s" * 32}))


def test_each_link_carries_a_token_for_the_room_in_its_fragment() -> None:
    welcome = welcome_of(SETTINGS, "a b&c", ("127.0.0.1", 1), ("127.0.0.1", 2))
    verifier = TokenVerifier(SETTINGS.auth, time.time)
    for one, expected in zip(
        welcome["participants"], [("alice", "owner"), ("bob", "participant")], strict=True
    ):
        link = urlsplit(one["link"])
        assert (link.scheme, link.netloc, link.path, link.query) == ("http", "127.0.0.1:2", "/", "")
        fragment = parse_qs(link.fragment)
        assert fragment["room"] == ["a b&c"]
        claims = verifier.verify(fragment["token"][0])
        assert (claims.identity, claims.role) == expected
        assert claims.grants.admits("a b&c")


def test_the_tokens_are_for_the_audience_that_the_node_wants() -> None:
    settings = replace(SETTINGS, auth=replace(SETTINGS.auth, audience="calls"))
    verifier = TokenVerifier(settings.auth, time.time)
    for one in welcome_of(settings, "demo", ("127.0.0.1", 1), ("127.0.0.1", 2))["participants"]:
        assert verifier.verify(one["token"]).identity == one["identity"]


def test_addresses_are_written_as_a_client_would() -> None:
    welcome = welcome_of(SETTINGS, "demo", ("0.0.0.0", 1), ("::1", 2))
    assert welcome["gateway"] == "ws://127.0.0.1:1/v1"
    assert welcome["http"] == "http://[::1]:2"


def test_every_link_is_a_line_of_its_own() -> None:
    welcome = welcome_of(SETTINGS, "demo", ("127.0.0.1", 1), ("127.0.0.1", 2))
    lines = plain(welcome).splitlines()
    assert all(any(line.endswith(one["link"]) for line in lines) for one in welcome["participants"])


@pytest.mark.parametrize(
    ("run", "on_the_path", "shown"),
    [
        (".venv/bin/palaver", False, ".venv/bin/palaver"),
        ("/opt/ada/.venv/bin/palaver", True, "palaver"),
        ("/opt/ada/palaver/cli/__main__.py", False, "palaver"),
    ],
)
def test_a_reader_is_shown_the_command_as_it_can_be_typed(
    run: str, on_the_path: bool, shown: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if on_the_path:
        (tmp_path / "palaver").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [run])
    assert typed() == shown
    welcome = welcome_of(SETTINGS, "lab", ("127.0.0.1", 1), ("127.0.0.1", 2)) | {"gossip": "127.0.0.1:3"}
    assert f"to join    {shown} dev --join 127.0.0.1:3" in plain(welcome, typed())
