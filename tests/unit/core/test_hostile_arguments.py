"""Arguments that change while they are read, or say that they are longer than any memory."""

import subprocess
import sys
from typing import Any, NamedTuple

import pytest

from palaver.core import (
    ArgumentError,
    ClusterDriver,
    CoreError,
    FanoutStrategy,
    GossipMessage,
    KeyManager,
    MembershipTable,
    MessageCache,
    ProductionNode,
    Status,
    WriteAheadLog,
    rendezvous,
)


class Growing:
    """A number that adds to a dict when it is asked for its value."""

    def __init__(self, target: dict[Any, Any], value: Any) -> None:
        self.target, self.value = target, value

    def __float__(self) -> float:
        self.target[f"more-{len(self.target)}"] = self.value
        return 1.0


class Row(NamedTuple):
    incarnation: int
    status: Status
    last_heartbeat: float


def growing_view() -> dict[str, Any]:
    view: dict[str, Any] = {}
    view["a"] = (0, "alive", Growing(view, (0, "alive", 0.0)))
    view["b"] = (0, "alive", 0.0)
    return view


def growing_settings() -> dict[str, Any]:
    settings: dict[str, Any] = {}
    settings["probe_interval"] = Growing(settings, 1.0)
    settings["gossip_interval"] = 1.0
    return settings


def test_a_view_that_grows_while_it_is_read_is_taken_as_it_was() -> None:
    assert set(MembershipTable("self").merge(growing_view(), now=1.0)) == {"a", "b"}
    assert set(GossipMessage(growing_view(), KeyManager()).membership_snapshot) == {"a", "b"}


def test_settings_that_grow_while_they_are_read_are_taken_as_they_were() -> None:
    ProductionNode("a", settings=growing_settings(), now=0.0)
    ClusterDriver(KeyManager(), settings=growing_settings())


def test_a_row_may_be_a_named_tuple() -> None:
    assert MembershipTable("self").merge({"a": Row(3, "alive", 0.0)}, now=1.0) == {"a": (3, "alive", 0.0)}


@pytest.mark.parametrize(
    "call",
    [
        lambda long: MessageCache(5).track_many(long),
        lambda long: KeyManager().verify_batch(long),
        lambda long: ProductionNode("a", allowed_keys=long),
        lambda long: ProductionNode("a").join(long),
        lambda long: FanoutStrategy().select_targets([1, 2], 1, weights=long),
    ],
)
@pytest.mark.parametrize("length", [10**13, 10**30])
def test_a_length_without_end_reserves_no_memory(call: Any, length: int) -> None:
    with pytest.raises((TypeError, CoreError)):
        call(range(length))


def test_as_many_weights_as_nodes_are_asked_for() -> None:
    class Liar(list[float]):
        def __len__(self) -> int:
            return 2

    for weights in (range(10**14), Liar([1.0]), Liar([1.0, 1.0, 1.0])):
        with pytest.raises(ArgumentError, match="there is one weight for each node: 2, not"):
            FanoutStrategy().select_targets([1, 2], 1, weights=weights)


def test_text_and_dicts_are_no_sequences() -> None:
    for wrong in ("ab", {b"a": 1}, 7, iter([b"a"])):
        with pytest.raises(TypeError, match=r"a sequence, not .*; nothing was changed"):
            MessageCache(5).track_many(wrong)  # type: ignore[arg-type]


def test_a_cache_for_which_there_is_no_memory_is_refused() -> None:
    program = """if True:
        import resource
        from palaver.core import CapacityError, MessageCache
        resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
        try:
            MessageCache(2**26)
        except CapacityError as error:
            print(error)
    """
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout == "the system has no memory for a message cache of this size; nothing was changed\n"


@pytest.mark.parametrize("name", ["probe_interval", "gossip_interval", "sync_interval", "heal_interval"])
@pytest.mark.parametrize("value", [1e-300, 0.0, -1.0, float("nan"), 1e300])
def test_a_setting_that_would_keep_a_node_from_all_else_is_refused(name: str, value: float) -> None:
    with pytest.raises(ArgumentError, match=f"{name} is from 0.001 to 315532800, not"):
        ProductionNode("a", settings={name: value})


@pytest.mark.parametrize("value", [0.001, 315532800.0])
def test_at_the_ends_of_their_range_settings_work(value: float) -> None:
    names = ("probe_interval", "gossip_interval", "sync_interval", "heal_interval", "view_window")
    node = ProductionNode("a", settings=dict.fromkeys(names, value), now=0.0)
    for now in (1.0, 2.0, 1e9):
        node.heartbeat(now=now)


def test_a_weight_of_another_type_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="not float; nothing was changed"):
        rendezvous("key", {"a": 1.5})  # type: ignore[dict-item]


def test_a_claim_of_another_form_is_a_type_error() -> None:
    for item in ((b"", b""), [b"", b"", b""], (b"", b"", "")):
        with pytest.raises(TypeError, match=r"a tuple .*; nothing was changed"):
            KeyManager().verify_batch([item])  # type: ignore[list-item]


def test_a_log_takes_no_endless_sequence(tmp_path: Any) -> None:
    with WriteAheadLog(tmp_path / "log") as log:
        with pytest.raises(TypeError):
            log.append_many(range(10**13))  # type: ignore[arg-type]
        assert log.replay() == []
