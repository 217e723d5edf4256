"""The settings of a node that is load-tested raise every limit that a load could hit."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec

from palaver.settings import Settings

FILE = Path(__file__).parents[3] / "benches" / "gateway.toml"
PER_CONNECTION = {"sdp_bytes", "errors_per_window", "requests_before_auth"}
PER_CONNECTION |= {"log_events", "log_bytes", "log_seconds"}
"""No load of ours comes near these, or they bound what is kept rather than what is asked."""
UNUSED = {"producers_per_peer", "consumers_per_peer", "transports_per_peer", "media_transports_per_peer"}
UNUSED |= {"stats_per_second", "stats_bytes_per_peer", "rulings", "rulings_per_room", "shed_lag_ms"}
UNUSED |= {"remembered_callers", "error_window_seconds"}


def test_every_limit_that_a_load_could_hit_is_raised() -> None:
    raised, common = msgspec.convert(tomllib.loads(FILE.read_text()), Settings), Settings()
    for name in set(common.limits.__struct_fields__) - PER_CONNECTION - UNUSED:
        assert getattr(raised.limits, name) > getattr(common.limits, name), name
    for name in common.gateway.__struct_fields__:
        if name.startswith("max_connections") or name.startswith("max_half_open"):
            assert getattr(raised.gateway, name) > getattr(common.gateway, name), name
