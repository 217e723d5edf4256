"""The settings of `palaver dev` serve a browser on this machine at once."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest

from palaver.errors import SettingsError, StartError
from palaver.settings import Override, dev_keys, dev_settings
from palaver.settings.dev import free_port, host_addresses, page_origins


def test_a_node_on_loopback_with_a_key_a_page_and_media(tmp_path: Path) -> None:
    settings = dev_settings(state=tmp_path)
    key_id, secret = dev_keys(tmp_path)
    assert (settings.gateway.host, settings.gateway.port) == ("127.0.0.1", 7880)
    assert (settings.http.host, settings.http.port, settings.http.demo) == ("127.0.0.1", 7881, True)
    assert settings.gateway.origins == ("http://127.0.0.1:7881", "http://localhost:7881")
    assert settings.auth.keys == {key_id: secret}
    assert settings.media.embedded
    assert settings.media.addresses[0] == "127.0.0.1"
    assert settings.node.state_dir == str(tmp_path)


def test_a_free_port_of_the_page_is_named_in_the_origins(tmp_path: Path) -> None:
    settings = dev_settings(state=tmp_path, overrides=[Override("--http-port", "http.port", 0)])
    assert settings.http.port != 0
    assert f"http://localhost:{settings.http.port}" in settings.gateway.origins


def test_environment_and_flags_count_as_for_any_node(tmp_path: Path) -> None:
    environ = {
        "PALAVER_STATE_DIR": str(tmp_path),
        "PALAVER_GATEWAY__ORIGINS": "https://a.b",
        "PALAVER_MEDIA__ADDRESSES": "192.0.2.1",
        "PALAVER_AUTH__KEYS__mine": "weak is fine here",
    }
    settings = dev_settings(environ=environ, overrides=[Override("--port", "gateway.port", 1234)])
    assert settings.gateway.origins == ("https://a.b",)
    assert settings.media.addresses == ("192.0.2.1",)
    assert set(settings.auth.keys) == {"mine", "devkey"}
    assert settings.gateway.port == 1234
    with pytest.raises(SettingsError, match="PALAVER_GATEWAY__PROT"):
        dev_settings(environ={**environ, "PALAVER_GATEWAY__PROT": "1"})


def test_a_page_on_another_address_is_an_origin_too() -> None:
    assert "http://192.0.2.7:80" in page_origins("192.0.2.7", 80)
    assert "http://[::1]:80" in page_origins("::1", 80)
    for address in host_addresses():
        assert page_origins("0.0.0.0", 80)[2:]
        assert not ipaddress.ip_address(address).is_loopback


def test_a_host_that_is_not_ours_is_one_sentence() -> None:
    with pytest.raises(StartError, match=r"cannot listen on 203\.0\.113\.1"):
        free_port("203.0.113.1")
