"""The state directory, and the development key that lives in it."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from palaver.errors import SettingsError
from palaver.settings.rules import SECRET_BYTES
from palaver.settings.tree import Settings

DEV_KEY_ID = "devkey"


def state_dir(
    flag: str | Path | None = None, *, environ: Mapping[str, str], settings: Settings | None = None
) -> Path:
    """Where state is kept: flag > PALAVER_STATE_DIR > node.state_dir > $XDG_STATE_HOME > ~/.local/state.

    The last two get /palaver behind them. Raises SettingsError if there is not even a home directory.
    """
    chosen = flag or environ.get("PALAVER_STATE_DIR") or (settings.node.state_dir if settings else "")
    if chosen:
        return _expanded(Path(chosen))
    # The XDG Base Directory Specification: a relative path in the variable is to be ignored.
    xdg = environ.get("XDG_STATE_HOME", "")
    if xdg and Path(xdg).is_absolute():
        return Path(xdg) / "palaver"
    return _expanded(Path("~/.local/state/palaver"))


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:
        raise SettingsError("there is no home directory to keep state in; choose --state-dir") from None


def dev_keys(state_dir: Path) -> tuple[str, str]:
    """The development key of this state directory: its id and its secret, made on first use.

    Processes that call this at once get the same secret: the file is read and filled under a lock. The
    directory is made with mode 0700, the file with 0600. Raises SettingsError if they cannot be used.
    """
    path = state_dir / DEV_KEY_ID
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # a key in a directory that is read-only
        with os.fdopen(descriptor, "rb+" if _writable(descriptor) else "rb", buffering=0) as file:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            secret = file.read(4096).decode("ascii").strip()
            if not secret:
                secret = secrets.token_urlsafe(SECRET_BYTES)
                os.fchmod(descriptor, 0o600)
                file.seek(0)
                file.write(f"{secret}\n".encode())
                os.fsync(descriptor)
    except UnicodeDecodeError:
        secret = ""
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(
            f"{path}: the development key cannot be kept here: {reason}; choose --state-dir"
        ) from error
    if len(secret) < SECRET_BYTES:
        raise SettingsError(f"{path}: is not a development key; delete it and a new one is made")
    return DEV_KEY_ID, secret


def _writable(descriptor: int) -> bool:
    return fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
