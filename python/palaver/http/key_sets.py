"""KeySets: reads the JSON Web Key Sets of auth.jwks, from files and from the web, again and again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from palaver.errors import SettingsError
from palaver.settings import AuthSettings
from palaver.signaling.keys import Key, Keys, published_keys

MAX_BYTES: Final = 256 * 1024
"""Of one key set; an RSA key of 4096 bits is 1 KiB, with its certificates 10 KiB."""
FETCH_SECONDS: Final = 5.0
RETRY_SECONDS: Final = 10.0
"""After a set could not be read, where auth.jwks_seconds is longer."""

_log = logging.getLogger(__name__)


class KeySets:
    """Hands all keys to `trust`, together, whenever a round of reading is over.

    A set that cannot be read keeps the keys that it had. Sets are read at `start`, every auth.jwks_seconds and at
    `configure`, and at no client's wish: an unknown key id costs a dictionary look-up. End it with `close`.
    """

    def __init__(self, settings: AuthSettings, trust: Callable[[Keys], None]) -> None:
        self._settings = settings
        self._trust = trust
        self._sets: dict[str, Keys] = {}
        self._missing: dict[str, str] = {}
        self._task: asyncio.Task[None] | None = None
        self._reading = asyncio.Lock()

    async def start(self) -> None:
        """Reads all sets once. Raises SettingsError for a file that cannot be used; the web may come back later."""
        await self.refresh()
        for source, reason in self._missing.items():
            if not _is_url(source):
                raise SettingsError(f"auth.jwks: {source} cannot be used: {reason}")
        self._task = asyncio.create_task(self._keep_fresh(), name="key sets")

    async def configure(self, settings: AuthSettings) -> None:
        """Takes other settings and reads all sets now."""
        self._settings = settings
        await self.refresh()

    async def refresh(self) -> None:
        async with self._reading:
            sources = self._settings.jwks
            found = await asyncio.gather(*map(self._read, sources))
            self._missing = {}
            for source, keys in zip(sources, found, strict=True):
                if isinstance(keys, str):
                    self._missing[source] = keys
                else:
                    self._sets[source] = keys
            self._sets = {source: self._sets[source] for source in sources if source in self._sets}
            everything: dict[str, Key] = {}
            for keys in reversed(self._sets.values()):  # of equal ids the first source has the word
                everything |= keys
            self._trust(everything)

    async def close(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _keep_fresh(self) -> None:
        while True:
            pause = self._settings.jwks_seconds
            await asyncio.sleep(min(pause, RETRY_SECONDS) if self._missing else pause)
            try:
                await self.refresh()
            except Exception:
                _log.exception("the key sets could not be refreshed")

    async def _read(self, source: str) -> Keys | str:
        """The keys, or why they cannot be read."""
        shown = source.partition("?")[0]
        try:
            document = await (_fetch(source) if _is_url(source) else asyncio.to_thread(_read_file, source))
            keys = published_keys(document)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            _log.warning("a key set keeps the keys it had: %s %s", shown, reason)
            return reason
        if not keys:
            _log.warning("a key set holds no key that can be used: %s", shown)
        return keys


def _is_url(source: str) -> bool:
    return source.startswith(("http://", "https://"))


def _read_file(name: str) -> bytes:
    with Path(name).open("rb") as file:
        document = file.read(MAX_BYTES + 1)
    if len(document) > MAX_BYTES:
        raise ValueError(f"is larger than {MAX_BYTES} bytes")
    return document


async def _fetch(url: str) -> bytes:
    """Raises OSError or ValueError. Follows no redirects: who publishes keys says where, in the settings."""
    import aiohttp

    try:
        async with (
            asyncio.timeout(FETCH_SECONDS),
            aiohttp.ClientSession() as session,
            session.get(url, allow_redirects=False, headers={"Accept": "application/json"}) as answer,
        ):
            if answer.status != 200:
                raise ValueError(f"was answered with {answer.status}")
            document = b""
            async for piece in answer.content.iter_chunked(64 * 1024):
                document += piece
                if len(document) > MAX_BYTES:
                    raise ValueError(f"is larger than {MAX_BYTES} bytes")
            return document
    except TimeoutError:
        raise ValueError(f"did not come within {FETCH_SECONDS:g} s") from None
    except aiohttp.ClientError as error:
        raise ValueError(f"cannot be fetched: {error}") from error
