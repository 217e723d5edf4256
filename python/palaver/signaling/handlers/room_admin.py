"""RoomAdminHandler: administration."""

from __future__ import annotations

from collections.abc import Mapping

from palaver.signaling.router import Verb


class RoomAdminHandler:
    @property
    def routes(self) -> Mapping[str, Verb]:
        return {}
