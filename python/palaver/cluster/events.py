"""What an operator reads of each event: how grave it is, one sentence, and the facts."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from palaver.core import events as told

Told = tuple[int, str, str, dict[str, Any]]
"""Level, kind, sentence, facts."""

_BAD = frozenset({"unreachable", "dead", "banned"})


def narrate(event: told.Event) -> Iterator[Told]:
    """One row for each thing that an event says. Broadcasts are nobody's news but their receivers'."""
    match event:
        case told.ViewChanged(changes=changes):
            for change in changes:
                yield from _change(change)
        case told.Suspected(node_id=node, suspect=suspect):
            words = "this node misses a member's answers" if suspect else "a member answers this node again"
            yield logging.DEBUG, "suspected" if suspect else "trusted", words, {"member": node}
        case told.BroadcastsLost(count=count):
            yield (
                logging.WARNING,
                "broadcastsLost",
                "broadcasts were lost: the loop was too slow",
                {"count": count},
            )
        case told.PartitionSuspected(unreachable=unreachable, members=members):
            facts = {"unreachable": unreachable, "members": members}
            yield (
                logging.WARNING,
                "partitionSuspected",
                "a partition is suspected: nobody is declared dead",
                facts,
            )
        case told.PartitionEnded():
            yield logging.INFO, "partitionEnded", "the partition has ended", {}
        case told.Paused(seconds=seconds):
            yield logging.WARNING, "paused", "the process stood still", {"seconds": round(seconds, 3)}
        case told.Blocked(seconds=seconds):
            yield logging.WARNING, "blocked", "the loop does not come by", {"seconds": round(seconds, 3)}
        case told.Unblocked(seconds=seconds):
            yield logging.INFO, "unblocked", "the loop comes by again", {"seconds": round(seconds, 3)}
        case told.Equivocation(node_id=node):
            yield (
                logging.ERROR,
                "equivocation",
                "a member has signed two records for one moment",
                {"member": node},
            )
        case told.IdentityConflict():
            yield logging.ERROR, "identityConflict", "another process uses this node's key", {}
        case told.Refused(node_id=node, why=why):
            yield logging.WARNING, "refused", "a node was not let in", {"member": node, "why": why}
        case told.Joined():
            yield logging.INFO, "joined", "found the cluster", {}
        case told.Alone():
            yield logging.WARNING, "alone", "no seed or earlier member has answered; alone, trying again", {}
        case told.LogFailed(why=why):
            yield logging.ERROR, "logFailed", "the membership cannot be written to the disk", {"why": why}
        case told.Stopped(why="banned"):
            words = "an authority has banned this node: it needs a new key to be a member"
            yield logging.ERROR, "stopped", words, {"acknowledged": 0, "why": "banned"}
        case told.Stopped(acknowledged=acknowledged, why=why):
            yield logging.INFO, "stopped", "out of the cluster", {"acknowledged": acknowledged, "why": why}
        case told.BroadcastReceived():
            return


def _change(change: told.Change) -> Iterator[Told]:
    facts = {
        "member": change.node_id,
        "before": change.before,
        "after": change.after,
        "incarnation": change.incarnation,
    }
    if change.before == change.after:
        yield logging.DEBUG, "updated", "a member has changed its record", facts
    elif change.after is None:
        yield logging.DEBUG, "forgotten", "a member was forgotten", facts
    else:
        level = logging.WARNING if change.after in _BAD else logging.INFO
        yield level, change.after, f"a member is {change.after}", facts
