"""The gossip core on its own: ``from palaver.core import MembershipTable``. The manual is ``_native.pyi``."""

try:
    from palaver.core._native import (
        Beat,
        BroadcastBuffer,
        FailureDetector,
        FanoutStrategy,
        GossipBackoff,
        GossipEnvelope,
        GossipMessage,
        GossipStrategy,
        KeyManager,
        LoadRun,
        MembershipTable,
        Merged,
        MessageCache,
        Node,
        NodeMetadata,
        NodeRecord,
        Opened,
        PairwiseLinks,
        ReplayGuard,
        State,
        StateStore,
        WriteAheadLog,
        first_bad_sdp_line,
        node_id_of,
        rendezvous,
        sign_ban,
        sign_ticket,
    )
except ModuleNotFoundError as error:
    if error.name != "palaver.core._native":
        raise
    raise ImportError(
        "palaver's native core has not been built for this Python: run make setup in the source tree,"
        " or install a wheel with pip install palaver",
        name=error.name,
    ) from None

from palaver.core.errors import ArgumentError, CapacityError, CoreError, DecodeError, SignatureError
from palaver.core.types import Members, Priority, Row, Status

__all__ = [
    "ArgumentError",
    "Beat",
    "BroadcastBuffer",
    "CapacityError",
    "CoreError",
    "DecodeError",
    "FailureDetector",
    "FanoutStrategy",
    "GossipBackoff",
    "GossipEnvelope",
    "GossipMessage",
    "GossipStrategy",
    "KeyManager",
    "LoadRun",
    "Members",
    "MembershipTable",
    "Merged",
    "MessageCache",
    "Node",
    "NodeMetadata",
    "NodeRecord",
    "Opened",
    "PairwiseLinks",
    "Priority",
    "ReplayGuard",
    "Row",
    "SignatureError",
    "State",
    "StateStore",
    "Status",
    "WriteAheadLog",
    "first_bad_sdp_line",
    "node_id_of",
    "rendezvous",
    "sign_ban",
    "sign_ticket",
]
