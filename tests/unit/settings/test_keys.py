"""The state directory is found in a fixed order; the development key is made once, and for nobody else's eyes."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest

from palaver.errors import SettingsError
from palaver.settings import NodeSettings, Settings, dev_keys, state_dir


def test_the_state_directory_is_found_in_order() -> None:
    environ = {"PALAVER_STATE_DIR": "/by/variable", "XDG_STATE_HOME": "/xdg"}
    settings = Settings(node=NodeSettings(state_dir="/by/settings"))
    assert state_dir("/by/flag", environ=environ, settings=settings) == Path("/by/flag")
    assert state_dir(environ=environ, settings=settings) == Path("/by/variable")
    del environ["PALAVER_STATE_DIR"]
    assert state_dir(environ=environ, settings=settings) == Path("/by/settings")
    assert state_dir(environ=environ) == Path("/xdg/palaver")
    assert state_dir(environ={"XDG_STATE_HOME": "relative"}) == Path.home() / ".local/state/palaver"
    assert state_dir(environ={}) == Path.home() / ".local/state/palaver"


def test_the_key_is_made_once_and_read_later(tmp_path: Path) -> None:
    key_id, secret = dev_keys(tmp_path / "a" / "b")
    assert key_id == "devkey"
    assert len(secret.encode()) >= 32
    assert dev_keys(tmp_path / "a" / "b") == (key_id, secret)
    assert dev_keys(tmp_path / "c")[1] != secret


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    dev_keys(tmp_path / "state")
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "state" / "devkey").stat().st_mode & 0o777 == 0o600


def test_processes_that_start_at_once_agree(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    with context.Pool(8) as pool:
        found = pool.map(dev_keys, [tmp_path / "state"] * 64, chunksize=1)
    assert len(set(found)) == 1


def test_a_file_left_empty_by_a_crash_is_filled(tmp_path: Path) -> None:
    (tmp_path / "devkey").touch()
    assert len(dev_keys(tmp_path)[1]) >= 32


@pytest.mark.parametrize("content", [b"short\n", b"\xff" * 50])
def test_a_file_that_holds_no_key_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "devkey").write_bytes(content)
    with pytest.raises(SettingsError, match="delete it and a new one is made"):
        dev_keys(tmp_path)
    assert (tmp_path / "devkey").read_bytes() == content


def test_a_directory_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="choose --state-dir"):
        dev_keys(tmp_path / "file" / "state")
    with pytest.raises(SettingsError, match="choose --state-dir"):
        dev_keys(Path("a\0b"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_key_in_a_directory_that_is_read_only_is_read(tmp_path: Path) -> None:
    expected = dev_keys(tmp_path)
    (tmp_path / "devkey").chmod(0o400)
    tmp_path.chmod(0o500)
    assert dev_keys(tmp_path) == expected
    tmp_path.chmod(0o700)
