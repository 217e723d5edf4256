from __future__ import annotations

import pytest

from palaver.errors import SettingsError
from palaver.gateway.policy import HandshakePolicy, normal_address, normal_origin


def test_a_default_port_is_the_same_origin() -> None:
    assert normal_origin("https://a.example") == normal_origin("https://A.example:443")
    assert normal_origin("http://a.example") != normal_origin("http://a.example:8080")


def test_a_mapped_ipv4_address_is_that_ipv4_address() -> None:
    assert normal_address("::ffff:192.0.2.1") == "192.0.2.1"
    assert normal_address("fe80::1%eth0") == "fe80::1"
    assert normal_address("unknown") is None


@pytest.mark.parametrize("origin", ["a.example", "https://", "https://a.example/path", "ftp//x"])
def test_an_origin_in_the_settings_that_is_none_is_told(origin: str) -> None:
    with pytest.raises(SettingsError, match=r"gateway\.origins"):
        HandshakePolicy("/v1", [origin])


def test_a_proxy_in_the_settings_that_is_none_is_told() -> None:
    with pytest.raises(SettingsError, match=r"gateway\.trusted_proxies"):
        HandshakePolicy("/v1", [], ["proxy.example"])
