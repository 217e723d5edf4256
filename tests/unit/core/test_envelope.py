import pytest

from palaver.core import (
    ArgumentError,
    CapacityError,
    DecodeError,
    GossipEnvelope,
    GossipMessage,
    KeyManager,
    MembershipTable,
    ReplayGuard,
    SignatureError,
)


@pytest.fixture
def keys() -> KeyManager:
    return KeyManager(bytes(32))


def test_an_envelope_is_read_back_by_its_cluster(keys: KeyManager) -> None:
    sent = GossipEnvelope(7, b"payload", keys, cluster="prod", epoch=3, seq=4)
    read = GossipEnvelope.decode(sent.encode(), cluster="prod")
    assert read == sent
    assert (read.type, read.payload, read.epoch, read.seq) == (7, b"payload", 3, 4)
    assert (read.sender_id, read.public_key) == (keys.node_id, keys.public_key)
    with pytest.raises(DecodeError, match="for another cluster"):
        GossipEnvelope.decode(sent.encode(), cluster="test")


def test_a_changed_packet_is_not_the_senders(keys: KeyManager) -> None:
    packet = bytearray(GossipEnvelope(7, b"payload", keys).encode())
    packet[81] ^= 1
    with pytest.raises(SignatureError):
        GossipEnvelope.decode(bytes(packet))
    assert not GossipEnvelope.decode(bytes(packet), verify=False).verify()


def test_a_payload_is_bounded(keys: KeyManager) -> None:
    with pytest.raises(ArgumentError, match="a payload has at most 1048576 bytes"):
        GossipEnvelope(7, bytes(2**20 + 1), keys)


def test_a_message_carries_a_view_to_another_table(keys: KeyManager) -> None:
    sender, receiver = MembershipTable(keys.node_id), MembershipTable("b")
    sender.update("c", 4, "suspect")
    message = GossipMessage.decode(GossipMessage(sender.snapshot(), keys, seq=1).encode())
    assert message.sender_id == keys.node_id
    assert message.signature == message.envelope.signature
    receiver.merge(message.membership_snapshot)
    assert receiver.get("c") == (4, "suspect", 0.0)


def test_an_envelope_of_another_type_holds_no_message(keys: KeyManager) -> None:
    with pytest.raises(DecodeError, match="holds no gossip message"):
        GossipMessage.decode(GossipEnvelope(2, b"", keys).encode())


def test_a_packet_is_taken_once() -> None:
    guard = ReplayGuard(max_senders=1)
    assert [guard.accept("a", 1, seq) for seq in (5, 5, 4, 2000, 900)] == [True, False, True, True, False]
    assert guard.accept("a", 2, 0)
    assert not guard.accept("a", 1, 2001)
    with pytest.raises(CapacityError):
        guard.accept("b", 1, 1)
