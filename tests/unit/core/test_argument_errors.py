"""Whatever an argument breaks is told by one tree of errors, with its name and its range, and nothing was changed."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from palaver.core import (
    ArgumentError,
    Beat,
    BroadcastBuffer,
    ClusterDriver,
    FailureDetector,
    FanoutStrategy,
    GossipBackoff,
    GossipEnvelope,
    GossipMessage,
    GossipStrategy,
    KeyManager,
    MembershipTable,
    MessageCache,
    Node,
    NodeMetadata,
    NodeRecord,
    PairwiseLinks,
    ProductionNode,
    ReplayGuard,
    StateStore,
    WriteAheadLog,
    rendezvous,
    sign_ban,
    sign_ticket,
    simulate,
)

KEYS = KeyManager(bytes(32))
ODD = "\ud800"

WHOLE: list[tuple[str, int, Callable[[Any], object]]] = [
    ("seed", 2**64 - 1, lambda n: FanoutStrategy(seed=n)),
    ("seed", 2**64 - 1, lambda n: GossipStrategy(seed=n)),
    ("seed", 2**64 - 1, lambda n: GossipBackoff(seed=n)),
    ("seed", 2**64 - 1, lambda n: ProductionNode("a", seed=n, unix_time=0.0)),
    ("burst", 2**32 - 1, lambda n: GossipBackoff(burst=n)),
    ("members", 2**64 - 1, lambda n: BroadcastBuffer(members=n)),
    ("members", 2**64 - 1, lambda n: setattr(BroadcastBuffer(), "members", n)),
    ("type", 2**8 - 1, lambda n: GossipEnvelope(n, b"", KEYS)),
    ("epoch", 2**64 - 1, lambda n: GossipEnvelope(1, b"", KEYS, epoch=n)),
    ("seq", 2**64 - 1, lambda n: GossipEnvelope(1, b"", KEYS, seq=n)),
    ("epoch", 2**64 - 1, lambda n: GossipMessage({}, KEYS, epoch=n)),
    ("seq", 2**64 - 1, lambda n: GossipMessage({}, KEYS, seq=n)),
    ("epoch", 2**64 - 1, lambda n: PairwiseLinks(KEYS, epoch=n)),
    ("epoch", 2**64 - 1, lambda n: ReplayGuard().accept("a", n, 0)),
    ("seq", 2**64 - 1, lambda n: ReplayGuard().accept("a", 0, n)),
    ("issued_at", 2**64 - 1, lambda n: NodeRecord(KEYS, 0, n)),
    ("seq", 2**64 - 1, lambda n: Beat(KEYS, 0, n)),
    ("load", 2**16 - 1, lambda n: Beat(KEYS, 0, 0, load=n)),
    ("sessions", 2**32 - 1, lambda n: Beat(KEYS, 0, 0, sessions=n)),
    ("load", 2**16 - 1, lambda n: ProductionNode("a").update_status(load=n)),
    ("not_after", 2**64 - 1, lambda n: sign_ticket(KEYS, "c", KEYS.public_key, n)),
]


@pytest.mark.parametrize(("name", "most", "call"), WHOLE)
def test_a_whole_number_says_its_name_and_range(name: str, most: int, call: Callable[[Any], object]) -> None:
    call(most if name != "burst" else 1)
    for beyond in (-1, most + 1, 2**100):
        with pytest.raises(
            ArgumentError, match=f"{name} is a whole number from 0 to {most}; nothing was changed"
        ):
            call(beyond)
    for other in (1.5, "1", b"1"):
        with pytest.raises(
            TypeError, match=f"{name} is an int, not {type(other).__name__}; nothing was changed"
        ):
            call(other)


TEXT: list[Callable[[Any], object]] = [
    lambda text: NodeMetadata(text),
    lambda text: NodeMetadata("", text),
    lambda text: NodeRecord(KEYS, 0, 0, name=text),
    lambda text: NodeRecord(KEYS, 0, 0, address=text),
    lambda text: GossipEnvelope(1, b"", KEYS, cluster=text),
    lambda text: GossipEnvelope.decode(b"", cluster=text),
    lambda text: GossipMessage({}, KEYS, cluster=text),
    lambda text: PairwiseLinks(KEYS, cluster=text),
    lambda text: PairwiseLinks.greeter(b"", cluster=text),
    lambda text: sign_ticket(KEYS, text, KEYS.public_key, 0),
    lambda text: sign_ban(KEYS, text, "a"),
    lambda text: ProductionNode(text),
    lambda text: ProductionNode(cluster=text),
    lambda text: ProductionNode(address=text),
    lambda text: ProductionNode().join([text]),
    lambda text: ProductionNode().receive_gossip(b"", text),
    lambda text: ClusterDriver(KEYS, name=text),
    lambda text: ClusterDriver(KEYS, cluster=text),
    lambda text: ClusterDriver(KEYS).start(text),
    lambda text: MembershipTable(text),
    lambda text: MembershipTable("self").get(text),
    lambda text: MembershipTable("self").merge({text: (0, "alive", 0.0)}),
    lambda text: MembershipTable("self").merge({"a": (0, text, 0.0)}),
    lambda text: BroadcastBuffer().add_change("a", b"", text),
    lambda text: MessageCache().track(text),
    lambda text: text in MessageCache(),
    lambda text: rendezvous(text, {"a": 1}),
    lambda text: simulate(text),
    lambda text: simulate("crash", rules=text),
]


@pytest.mark.parametrize("call", TEXT)
def test_a_text_with_lone_surrogates_is_refused(call: Callable[[Any], object]) -> None:
    with pytest.raises(ArgumentError, match=r"nothing was changed|lone surrogates"):
        call(ODD)
    with pytest.raises(TypeError, match=r"nothing was changed"):
        call(7)


NONE: list[Callable[[], object]] = [
    lambda: MembershipTable("a", max_members=0),
    lambda: MessageCache(0),
    lambda: BroadcastBuffer(0),
    lambda: GossipBackoff(max_nodes=0),
    lambda: FailureDetector(max_nodes=0),
    lambda: ReplayGuard(max_senders=0),
    lambda: PairwiseLinks(KEYS, max_peers=0),
    lambda: ProductionNode(settings={"max_links": 0}),
]


@pytest.mark.parametrize("call", NONE)
def test_what_can_hold_nothing_is_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ArgumentError, match=r"the capacity of a .* is from 1 to \d+; nothing was changed"):
        call()


def test_a_log_and_a_store_say_which_number_is_out_of_range(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="first_seq is a whole number"):
        WriteAheadLog(tmp_path / "log", first_seq=-1)
    with pytest.raises(ArgumentError, match="no lone surrogates"):
        WriteAheadLog(tmp_path / "log", policy=ODD)  # type: ignore[arg-type]
    for make in (WriteAheadLog, StateStore):
        with pytest.raises(ArgumentError, match="no lone surrogates"):
            make(tmp_path / ODD)
    assert list(tmp_path.iterdir()) == []
    with WriteAheadLog(tmp_path / "log") as log:
        for append in (lambda: log.append(b"", kind=256), lambda: log.append_many([b""], kind=-1)):
            with pytest.raises(ArgumentError, match="kind is a whole number from 0 to 255"):
                append()
    store = StateStore(tmp_path / "state")
    with pytest.raises(ArgumentError, match="seq is a whole number"):
        store.save_membership(MembershipTable("a"), seq=-1)


@pytest.mark.parametrize("value", [10**400, -1, 2**100])
def test_a_setting_no_number_can_hold_is_refused_by_name(value: int) -> None:
    with pytest.raises(ArgumentError, match=r"max_members.*; nothing was changed"):
        ProductionNode("a", settings={"max_members": value})


def test_a_time_is_a_number() -> None:
    with pytest.raises(ArgumentError, match="a time is a finite number"):
        FailureDetector().record_heartbeat("a", now=10**400)
    with pytest.raises(ArgumentError, match="a time is a finite number of seconds from 0 on, not -inf"):
        ClusterDriver(KEYS).leave(-(10**400))
    with pytest.raises(ArgumentError, match="a time is a finite number"):
        MembershipTable("a").merge({"b": (0, "alive", 10**400)})
    with pytest.raises(TypeError, match="this must be a number, not str; nothing was changed"):
        MembershipTable("a").update("b", now="now")  # type: ignore[arg-type]


@pytest.mark.parametrize("time", [math.nan, math.inf, -1.0])
def test_a_time_is_finite_and_not_negative(time: float) -> None:
    for call in (
        lambda: MembershipTable("a").update("b", now=time),
        lambda: MembershipTable("a").expire(time),
        lambda: Node("a", last_heartbeat=time),
        lambda: FailureDetector().shift(time),
    ):
        with pytest.raises(ArgumentError, match="a time is a finite number of seconds from 0 on"):
            call()
