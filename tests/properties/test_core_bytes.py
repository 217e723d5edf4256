"""Whatever bytes come from outside, they are taken or refused with a documented error."""

from hypothesis import given
from hypothesis import strategies as st

from palaver.core import CoreError, GossipEnvelope, GossipMessage, KeyManager, MembershipTable

KEYS = KeyManager(bytes(32))


@given(st.binary() | st.binary().map(lambda tail: b"PV\x01\x01\x00\x01" + bytes(2) + tail))
def test_any_packet_is_read_or_refused(data: bytes) -> None:
    for read in (GossipEnvelope.decode, GossipMessage.decode):
        try:
            read(data)
        except CoreError:
            continue
        raise AssertionError("nobody signed this")


record = st.tuples(st.sampled_from([1, 2, 3, 0x81]), st.binary(max_size=130)).map(
    lambda parts: bytes([parts[0]]) + len(parts[1]).to_bytes(2, "little") + parts[1]
)


@given(st.binary() | st.lists(record).map(b"".join))
def test_any_records_are_joined_or_refused_whole(data: bytes) -> None:
    table = MembershipTable("self")
    root = table.root
    try:
        table.merge_bytes(data, now=1.0)
    except CoreError:
        assert table.root == root


@given(
    st.integers(0, 255),
    st.binary(),
    st.text(st.characters(codec="utf-8"), max_size=20),
    st.integers(0, 2**64 - 1),
)
def test_what_is_sealed_is_read_back(kind: int, payload: bytes, cluster: str, seq: int) -> None:
    sent = GossipEnvelope(kind, payload, KEYS, cluster=cluster, epoch=1, seq=seq)
    assert GossipEnvelope.decode(sent.encode(), cluster=cluster) == sent
