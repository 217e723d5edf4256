from __future__ import annotations

import pytest
from msgspec.structs import replace

from palaver.settings import GatewaySettings, LimitSettings, LiveSettings, NodeSettings, Settings, reloaded
from palaver.settings.describe import all_settings
from palaver.settings.live import LIVE

OLD = Settings()


def test_what_can_change_does_and_what_cannot_is_named() -> None:
    new = Settings(
        node=NodeSettings(region="x"),
        gateway=GatewaySettings(port=1, origins=("*",)),
        limits=LimitSettings(rooms=7),
    )
    reload = reloaded(OLD, new)
    assert reload.changed == ("gateway.origins", "limits.rooms")
    assert reload.needs_restart == ("node.region", "gateway.port")
    assert reload.settings == replace(
        OLD, gateway=GatewaySettings(origins=("*",)), limits=LimitSettings(rooms=7)
    )


def test_the_same_settings_change_nothing() -> None:
    assert reloaded(OLD, Settings()) == (OLD, (), ())


@pytest.mark.parametrize("there", [True, False])
def test_tls_is_neither_turned_on_nor_off(there: bool) -> None:
    tls = Settings(gateway=GatewaySettings(tls_certificate="a.pem", tls_key="a.key"))
    old, new = (tls, OLD) if there else (OLD, tls)
    assert reloaded(old, new) == (old, (), ("gateway.tls_certificate", "gateway.tls_key"))


def test_a_certificate_may_move() -> None:
    one, two = (Settings(gateway=GatewaySettings(tls_certificate=n, tls_key=n)) for n in ("a", "b"))
    assert reloaded(one, two).settings == two


def test_what_is_live_exists() -> None:
    names = {(setting.group, setting.name) for setting in all_settings()}
    for group, fields in LIVE.items():
        assert group in Settings.__struct_fields__
        assert {(group, name) for name in fields or ()} <= names


def test_the_settings_in_force_are_those_of_the_last_replacement() -> None:
    live = LiveSettings(OLD)
    kept = live.limits
    live.replace(Settings(limits=LimitSettings(rooms=7)))
    assert (live.limits.rooms, kept.rooms) == (7, OLD.limits.rooms)
