import pytest

from palaver.core import ArgumentError, Node, NodeMetadata


def test_a_node_is_alive_at_incarnation_0_and_never_heard_unless_said() -> None:
    node = Node("a")
    assert (node.node_id, node.incarnation, node.status, node.last_heartbeat) == ("a", 0, "alive", 0.0)
    assert node.metadata == NodeMetadata()


def test_a_heartbeat_never_goes_back() -> None:
    node = Node("a", last_heartbeat=2.0)
    assert node.heartbeat(5.0) == 5.0
    assert node.heartbeat(4.0) == 5.0
    assert Node("a").heartbeat() > 0.0


def test_repr_reads_like_the_call() -> None:
    assert (
        repr(Node("a", 3, "suspect", 1.5))
        == 'Node("a", incarnation=3, status="suspect", last_heartbeat=1.500)'
    )
    assert repr(NodeMetadata("eu", "b")) == 'NodeMetadata(region="eu", zone="b")'


def test_places_are_values() -> None:
    assert NodeMetadata("eu", "b") == NodeMetadata("eu", "b") != NodeMetadata("eu", "c")
    assert len({NodeMetadata("eu"), NodeMetadata("eu")}) == 1


@pytest.mark.parametrize("arguments", [("", 0), ("a", -1), ("a", 0, "gone"), ("a", 0, "alive", -1.0)])
def test_a_bad_field_is_refused(arguments: tuple) -> None:
    with pytest.raises(ArgumentError):
        Node(*arguments)
