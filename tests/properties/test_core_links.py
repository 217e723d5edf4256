"""Encrypted packets: what is sealed is opened once, by the peer alone, and only unchanged."""

from hypothesis import given
from hypothesis import strategies as st

from palaver.core import CoreError, KeyManager, PairwiseLinks

ADA, BEN = KeyManager(bytes([1]) * 32), KeyManager(bytes([2]) * 32)


def greeted() -> tuple[PairwiseLinks, PairwiseLinks]:
    ada, ben = PairwiseLinks(ADA), PairwiseLinks(BEN)
    ada.establish(ben.hello)
    ben.establish(ada.hello)
    return ada, ben


@given(st.binary(max_size=2000), st.integers(0, 255))
def test_what_is_sealed_is_opened(payload: bytes, kind: int) -> None:
    ada, ben = greeted()
    opened = ben.open(ada.seal(BEN.node_id, payload, type=kind))
    assert opened is not None
    assert (opened.payload, opened.type, opened.sender_id) == (payload, kind, ADA.node_id)


@given(st.binary(max_size=50), st.data())
def test_no_changed_bit_is_opened(payload: bytes, data: st.DataObject) -> None:
    ada, ben = greeted()
    packet = ada.seal(BEN.node_id, payload)
    bit = data.draw(st.integers(0, 8 * len(packet) - 1))
    changed = bytearray(packet)
    changed[bit // 8] ^= 1 << (bit % 8)
    try:
        ben.open(bytes(changed))
    except CoreError:
        assert ben.open(packet) is not None
    else:
        raise AssertionError("a changed packet was opened")


@given(st.lists(st.integers(0, 1500), min_size=1, max_size=60))
def test_each_number_is_taken_once_within_the_window(order: list[int]) -> None:
    ada, ben = greeted()
    packets = [ada.seal(BEN.node_id, b"") for _ in range(1501)]
    taken: set[int] = set()
    newest = 0
    for number in order:
        newest = max(newest, number)
        new = number not in taken and newest - number < 1024
        assert (ben.open(packets[number]) is not None) == new
        taken |= {number} if new else set()


@given(st.binary(max_size=300))
def test_any_bytes_are_refused(data: bytes) -> None:
    _, ben = greeted()
    for take in (ben.open, ben.establish):
        try:
            take(data)
        except CoreError:
            continue
        raise AssertionError("nobody sealed this")
