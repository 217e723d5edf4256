"""A node id is any text: whatever is given comes back as the same text, from every class."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palaver.core import (
    ArgumentError,
    FailureDetector,
    GossipMessage,
    KeyManager,
    Members,
    MembershipTable,
    Node,
    node_id_of,
    rendezvous,
)

characters = st.characters(exclude_categories=("Cc", "Cs"))
names = (
    st.text(characters, min_size=1, max_size=128)
    | st.uuids().map(str)
    | st.text("abcdefghijklmnopqrstuvwxyz0123456789.-_:", min_size=1, max_size=64)
)
KEYS = KeyManager(bytes(32))


@given(names)
def test_a_name_comes_back_as_it_was_given(name: str) -> None:
    assert Node(name).node_id == name
    assert MembershipTable(name).self_node_id == name
    assert not (name.isascii() and name.isalnum()) or name in repr(Node(name))


@given(st.lists(names, unique=True, max_size=8))
def test_names_come_back_from_every_view(given: list[str]) -> None:
    view: Members = dict.fromkeys(given, (1, "dead", 0.0))
    table = MembershipTable("me")
    others = view.keys() - {"me"}
    assert table.merge(view, now=1.0).keys() - {"me"} == others
    assert table.members.keys() == table.snapshot().keys() == others | {"me"}
    assert all(name in table and table.get(name) for name in given)
    other = MembershipTable("me")
    assert other.merge_bytes(table.snapshot_bytes(), now=1.0).changed.keys() - {"me"} == others
    assert GossipMessage.decode(GossipMessage(view, KEYS).encode()).membership_snapshot == view
    assert set(rendezvous("key", dict.fromkeys(given, 1), len(given))) == set(given)
    assert set(table.expire(0.0, now=9.0)) == others

    detector = FailureDetector()
    for name in given:
        detector.record_heartbeat(name, now=1.0)
    assert set(detector.suspects(now=1e6)) == set(given)


@pytest.mark.parametrize("name", ["", "a\n", "\x7f", "a" * 129, "\ud800"])
def test_other_texts_are_no_names(name: str) -> None:
    with pytest.raises(ArgumentError, match="nothing was changed"):
        Node(name)


def test_a_long_name_is_never_the_id_of_a_key() -> None:
    text = "a text of 32 bytes, like any key"
    table = MembershipTable(node_id_of(text.encode()))
    assert text not in table


def test_asking_remembers_nothing_and_another_process_sees_the_hash() -> None:
    name = "signaling-node-eu-west-1"
    table = MembershipTable("me")
    table.merge({name: (3, "alive", 0.0)}, now=1.0)
    program = f"""if True:
        from palaver.core import MembershipTable
        table = MembershipTable("me")
        table.merge_bytes(bytes.fromhex({table.snapshot_bytes().hex()!r}), now=1.0)
        (before,) = table.members.keys() - {{"me"}}
        assert table.get({name!r}) == table.get(before) == (3, "alive", 0.0)
        (asked,) = table.members.keys() - {{"me"}}
        table.update({name!r}, now=2.0)
        (told,) = table.members.keys() - {{"me"}}
        print(len(before), asked == before, told)
    """
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout == f"32 True {name}\n"


def test_the_memory_of_names_is_bounded() -> None:
    program = """if True:
        from palaver.core import CapacityError, Node
        try:
            for n in range(2**20 + 1):
                Node(f"a long node name {n}")
        except CapacityError as error:
            print(n, error)
        print(Node("short").node_id, Node("a long node name 7").node_id)
    """
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout == (
        "1048576 the memory of long node ids is full: it may hold 1048576 and would need more; nothing was changed\n"
        "short a long node name 7\n"
    )
