"""The peer-to-peer connections of a room, by who they join."""

from __future__ import annotations

from collections.abc import Mapping

from palaver.rooms.participant import Participant
from palaver.rooms.peer_link import PeerLink
from palaver.rooms.timers import Timers

Key = tuple[str, str, str]
"""(transport, smaller peer, larger peer): the connection is the same from both ends."""


class PeerLinks(dict[Key, PeerLink]):
    """Each is noted at both of its participants, and counts for the one that opened it. Change them by these verbs only."""

    __slots__ = ("_timers",)

    def __init__(self, timers: Timers) -> None:
        super().__init__()
        self._timers = timers

    def find(self, transport: str, one: str, other: str) -> PeerLink | None:
        """The connection of two peers under this transport id."""
        return self.get((transport, one, other) if one < other else (transport, other, one))

    def open(self, transport: str, one: Participant, other: Participant) -> PeerLink:
        """Opens a connection of `one` with another."""
        smaller, larger = sorted((one.peer, other.peer))
        key = (transport, smaller, larger)
        link = self[key] = PeerLink(one.peer, self._timers)
        one.links.add(key)
        other.links.add(key)
        one.links_opened += 1
        return link

    def close_all_of(self, participant: Participant, participants: Mapping[str, Participant]) -> None:
        """Closes those of one who leaves; `participants` are all that may be at the other ends."""
        peer = participant.peer
        for key in participant.links:
            link = self.pop(key)
            link.close()
            other = participants[key[2] if key[1] == peer else key[1]]
            other.links.remove(key)
            other.links_opened -= link.opener == other.peer
