"""The node that a command asks: where its side port is, and the admin token for it.

A running node leaves a note of that in its state directory, readable by its owner only, and takes it away when it ends. So
`palaver members` needs no flags on the machine, and as the user, of the node.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode

import typer

from palaver.errors import PalaverError

NOTE: Final = "running.json"
SECONDS: Final = 10.0
"""How long a node may take to answer; a goodbye to the cluster takes up to cluster.leave_seconds on top."""

Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="PALAVER_URL",
        help="The node's side port. Without: as the state directory tells.",
    ),
]
AdminToken = Annotated[
    str | None,
    typer.Option("--admin-token", envvar="PALAVER_ADMIN_TOKEN", help="The node's http.admin_token."),
]


class NodeError(PalaverError):
    """The node cannot be asked, or refused."""


@contextmanager
def noted(directory: str, http: str, token: str) -> Iterator[None]:
    """Leaves the note while the block runs. A node without a state directory or an admin token leaves none."""
    from palaver.cluster.private_file import write_private

    if not directory or not token:
        yield
        return
    path = Path(directory) / NOTE
    note = {"pid": os.getpid(), "http": http, "adminToken": token}
    write_private(path, json.dumps(note).encode())
    try:
        yield
    finally:
        if _read(path).get("pid") == os.getpid():
            path.unlink(missing_ok=True)


def find_node(url: str | None, token: str | None, state_dir: Path | None) -> LocalNode:
    """The node to ask. Raises NodeError, SettingsError."""
    from palaver import settings

    if url is not None and token is not None:
        return LocalNode(url, token)
    directory = settings.state_dir(state_dir, environ=os.environ)
    for path in (directory / NOTE, *sorted(directory.glob(f"node-*/{NOTE}"))):
        note = _read(path)
        if note and _lives(note["pid"]) and url in (None, note["http"]):
            return LocalNode(note["http"], token or note["adminToken"])
    if url is not None:
        raise NodeError(f"{url} wants its admin token: --admin-token or PALAVER_ADMIN_TOKEN")
    raise NodeError(
        f"no node with an admin API runs with the state directory {directory}: start one (`palaver dev`, or `palaver serve` "
        "with http.admin_token), or say --url and --admin-token"
    )


class LocalNode:
    """The admin API of one node."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip("/")
        self._token = token

    def get(self, path: str, **query: object) -> Any:
        return self._call("GET", path + (f"?{urlencode(query)}" if query else ""))

    def post(self, path: str, body: Mapping[str, Any] | None = None, seconds: float = SECONDS) -> Any:
        return self._call("POST", path, json.dumps(body or {}).encode(), seconds)

    def members(self) -> list[dict[str, Any]]:
        """All pages."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = self.get("/v1/cluster/members", limit=1000, cursor=cursor)
            found += page["members"]
            if (cursor := page.get("cursor") or "") == "":
                return found

    def _call(self, method: str, path: str, body: bytes | None = None, seconds: float = SECONDS) -> Any:
        if not self.url.startswith(("http://", "https://")):
            raise NodeError(f"{self.url} is not an http:// or https:// URL")
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data=body, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=seconds) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refused:
            raise NodeError(f"{self.url}: {_refusal(refused)}") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            words = getattr(reason, "strerror", None) or reason
            raise NodeError(f"{self.url} does not answer: {words}") from None


def member_path(member: str, rest: str = "") -> str:
    """The path of a member, by id or name."""
    return f"/v1/cluster/members/{quote(member, safe='')}{rest}"


def _refusal(refused: urllib.error.HTTPError) -> str:
    with refused:
        try:
            error = json.load(refused)["error"]
        except (ValueError, KeyError, TypeError):
            if refused.code == 404:
                return "the admin API is off: set http.admin_token"
            return f"HTTP {refused.code}"
    if error["data"]["reason"] == "not_found" and error["message"] != "there is no such member":
        return "the node is in no cluster: start it with --join, or with cluster.enabled"
    return str(error["message"])


def _read(path: Path) -> dict[str, Any]:
    try:
        note = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) and {"pid", "http", "adminToken"} <= note.keys() else {}


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
