"""The shapes that the native core takes and gives."""

from typing import Literal, TypeAlias

Status: TypeAlias = Literal["alive", "suspect", "unreachable", "dead", "left", "banned"]
"""What the cluster says of a member, in the order in which one statement overrides another (gossip.md §2)."""

Priority: TypeAlias = Literal["refutation", "gone", "suspect", "alive", "application"]
"""How urgent a change is, the most urgent first (gossip.md §4)."""

Row: TypeAlias = tuple[int, Status, float]
"""A member: incarnation (0 to 2**61 - 1), status, last heartbeat (seconds of the local monotonic clock, 0.0
for never).
"""

Members: TypeAlias = dict[str, Row]
"""Members by node id."""
