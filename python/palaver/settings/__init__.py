"""Settings: one strict tree from a TOML file, the environment and flags."""

from palaver.settings.cluster import ClusterSettings
from palaver.settings.dev import dev_settings
from palaver.settings.gateway import GatewaySettings
from palaver.settings.keys import DEV_KEY_ID, dev_keys, state_dir
from palaver.settings.limits import LimitSettings
from palaver.settings.live import LiveSettings, Reload, reloaded
from palaver.settings.load import Override, Problem, load, read
from palaver.settings.tree import (
    AuthSettings,
    DiagnosticsSettings,
    HttpSettings,
    LogSettings,
    MediaSettings,
    NodeSettings,
    RoomSettings,
    Settings,
    TracingSettings,
    WebhookSettings,
)
from palaver.settings.workers import Worker, rulings_file, worker_settings

__all__ = [
    "DEV_KEY_ID",
    "AuthSettings",
    "ClusterSettings",
    "DiagnosticsSettings",
    "GatewaySettings",
    "HttpSettings",
    "LimitSettings",
    "LiveSettings",
    "LogSettings",
    "MediaSettings",
    "NodeSettings",
    "Override",
    "Problem",
    "Reload",
    "RoomSettings",
    "Settings",
    "TracingSettings",
    "WebhookSettings",
    "Worker",
    "dev_keys",
    "dev_settings",
    "load",
    "read",
    "reloaded",
    "rulings_file",
    "state_dir",
    "worker_settings",
]
