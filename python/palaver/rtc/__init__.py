"""The one door to aiortc for everybody who needs a peer connection: no public STUN, chosen addresses.

Importing this package imports aiortc (a third of a second, some tens of megabytes): do so only where a peer
connection is really wanted.
"""

from palaver.rtc.addresses import with_loopback
from palaver.rtc.candidates import AnyCandidate
from palaver.rtc.connection import (
    IceServer,
    add_candidates,
    apply_description,
    close_connection,
    peer_connection,
)
from palaver.rtc.description import Description, SdpError, Section
from palaver.rtc.fanout import FanOut, Outlet
from palaver.rtc.timeline import Timeline

__all__ = [
    "AnyCandidate",
    "Description",
    "FanOut",
    "IceServer",
    "Outlet",
    "SdpError",
    "Section",
    "Timeline",
    "add_candidates",
    "apply_description",
    "close_connection",
    "peer_connection",
    "with_loopback",
]
