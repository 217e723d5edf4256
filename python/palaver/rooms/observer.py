"""What an observer of rooms is told. Rooms without one make none of this."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from palaver.protocol.methods.producer import ProducerInfo
from palaver.protocol.methods.session import PeerInfo
from palaver.protocol.webhooks import EventName


class Observation(Struct, frozen=True):
    event: EventName
    room: str
    epoch: int
    participant: PeerInfo | None = None
    track: ProducerInfo | None = None
    reason: str = ""


Observer = Callable[[Observation], None]
"""Called in the order of what happens, in the middle of it: it must only take note, and not raise."""
