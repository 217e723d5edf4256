"""StreamRouter: which media node serves a room, and what a client needs to know to reach it."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping

from palaver.protocol.errors import ProtocolError
from palaver.protocol.types import IceServer
from palaver.rooms.media import TransportHandle
from palaver.rooms.room import Room
from palaver.rooms.session_manager import SessionManager
from palaver.settings import LiveSettings
from palaver.signaling.ports import MediaNode


class StreamRouter:
    """Assigns each room to one media node when it first needs one; the room stays there."""

    def __init__(
        self,
        sessions: SessionManager,
        nodes: Mapping[str, MediaNode],
        settings: LiveSettings,
        wall: Callable[[], float],
    ) -> None:
        self._sessions = sessions
        self._nodes = nodes
        self._settings = settings
        self._wall = wall

    def ice_servers(self, identity: str) -> list[IceServer]:
        """STUN and TURN servers for a client; TURN with time-limited credentials, as coturn's use-auth-secret expects
        (draft-uberti-behave-turn-rest-00): username expiry:identity, password base64(HMAC-SHA1(secret, username))."""
        settings = self._settings.media
        servers = [IceServer([url]) for url in settings.ice_servers]
        if settings.turn_servers and settings.turn_secret:
            username = f"{int(self._wall() + settings.turn_ttl_seconds)}:{identity}"
            digest = hmac.new(settings.turn_secret.encode(), username.encode(), hashlib.sha1).digest()
            credential = base64.b64encode(digest).decode()
            servers.append(IceServer(list(settings.turn_servers), username, credential))
        return servers

    def choose_node(self, room: str) -> MediaNode:
        """The media node that serves the room, or would. Raises ProtocolError media_unavailable where there is none."""
        if not self._nodes:
            raise ProtocolError("media_unavailable", "this node has no media node; use a peer-to-peer call")
        known = self._sessions.rooms.get(room)
        if known is not None and known.media_node in self._nodes:
            return self._nodes[known.media_node]
        serving = [each.media_node for each in self._sessions.rooms.values()]
        return self._nodes[min(self._nodes, key=lambda name: (serving.count(name), name))]

    def assign_node(self, room: Room) -> MediaNode:
        """Settles which media node serves the room from now on. Raises what `choose_node` raises."""
        node = self.choose_node(room.id)
        room.media, room.media_node = node, node.node
        return node

    def find_node(self, room: Room) -> MediaNode | None:
        """Like `assign_node`, but None where there is none: bookkeeping goes on without media."""
        return self.assign_node(room) if self._nodes else None

    def get_transport_for_session(self, session_id: str) -> list[TransportHandle]:
        """The transports that a session has at its room's media node. Raises KeyError for an unknown session."""
        session = self._sessions.sessions[session_id]
        room, participant = session.room, session.participant
        assert room is not None and participant is not None, "a registered session has a seat"
        return [room.handle(participant, each.id) for each in participant.transports.values()]
