"""What a running node may be told anew, and the settings that hold at this moment."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec
from msgspec.structs import replace

from palaver.settings.describe import all_settings
from palaver.settings.gateway import GatewaySettings
from palaver.settings.limits import LimitSettings
from palaver.settings.tree import (
    AuthSettings,
    DiagnosticsSettings,
    LogSettings,
    MediaSettings,
    RoomSettings,
    Settings,
)

# group → the names that take effect at a reload; None: all of them. What is not here needs a restart.
LIVE: Final[dict[str, frozenset[str] | None]] = {
    "auth": None,
    "cluster": frozenset({"authorities", "keys"}),
    "diagnostics": None,
    "gateway": frozenset(
        {
            "alternatives",
            "control_frames_per_second",
            "drain_seconds",
            "max_connections",
            "max_connections_per_address",
            "max_fragments",
            "max_half_open",
            "max_half_open_per_address",
            "max_message_bytes",
            "max_message_bytes_before_auth",
            "origins",
            "outbox_close_bytes",
            "outbox_shed_bytes",
            "tls_certificate",
            "tls_key",
            "trusted_proxies",
        }
    ),
    "limits": None,
    "log": None,
    "media": frozenset({"answer_seconds", "ice_servers", "turn_secret", "turn_servers", "turn_ttl_seconds"}),
    "rooms": None,
}


class Reload(NamedTuple):
    """New settings, as far as a running node can take them."""

    settings: Settings
    """The new values where they can change, the old ones where they cannot."""
    changed: tuple[str, ...]
    """Paths whose values are new."""
    needs_restart: tuple[str, ...]
    """Paths whose new values wait for a restart."""


def reloaded(old: Settings, new: Settings) -> Reload:
    """What a node with the settings `old` does when it is given `new`. Changes nothing."""
    was_tls, is_tls = bool(old.gateway.tls_certificate), bool(new.gateway.tls_certificate)
    groups: dict[str, dict[str, object]] = {}
    changed, stuck = [], []
    for setting in all_settings():
        value = getattr(getattr(new, setting.group), setting.name)
        if value == getattr(getattr(old, setting.group), setting.name):
            continue
        live = LIVE.get(setting.group, frozenset())
        turns_tls = setting.name.startswith("tls_") and was_tls != is_tls
        if (live is None or setting.name in live) and not turns_tls:
            groups.setdefault(setting.group, {})[setting.name] = value
            changed.append(setting.path)
        else:
            stuck.append(setting.path)
    parts = {group: replace(getattr(old, group), **fields) for group, fields in groups.items()}
    return Reload(replace(old, **parts), tuple(changed), tuple(stuck))


class LiveSettings:
    """The settings in force, group by group; `replace` exchanges them all at once.

    Whoever keeps one asks it each time: `live.limits.sdp_bytes`. A group that was read is frozen and stays as it was.
    """

    auth: AuthSettings
    diagnostics: DiagnosticsSettings
    gateway: GatewaySettings
    limits: LimitSettings
    log: LogSettings
    media: MediaSettings
    rooms: RoomSettings

    def __init__(self, settings: Settings) -> None:
        self.replace(settings)

    def replace(self, settings: Settings) -> None:
        for group in msgspec.structs.fields(Settings):
            setattr(self, group.name, getattr(settings, group.name))
