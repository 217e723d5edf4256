"""Signatures, seen from Python."""

from hypothesis import given, settings
from hypothesis import strategies as st

from palaver.core import KeyManager

seeds = st.binary(min_size=32, max_size=32)


@given(seeds, st.binary())
def test_what_is_signed_verifies_everywhere(seed: bytes, data: bytes) -> None:
    signer, other = KeyManager(seed), KeyManager()
    signature = signer.sign(data)
    assert signer.verify_signature(data, signature)
    assert other.verify_signature(data, signature, signer.public_key)
    assert not other.verify_signature(data, signature)


@given(seeds, st.binary(), st.integers(0, 511))
def test_no_flipped_bit_verifies(seed: bytes, data: bytes, bit: int) -> None:
    signer = KeyManager(seed)
    signature = bytearray(signer.sign(data))
    signature[bit // 8] ^= 1 << bit % 8
    assert not signer.verify_signature(data, bytes(signature))


@settings(max_examples=30)
@given(st.lists(st.tuples(st.binary(max_size=3), st.binary(max_size=70), st.binary(max_size=40)), max_size=4))
def test_garbage_is_not_valid_and_does_not_spoil_the_batch(garbage: list[tuple[bytes, bytes, bytes]]) -> None:
    signer = KeyManager(bytes(32))
    good = [(data, signer.sign(data), signer.public_key) for data in (b"a", b"b", b"c")]
    assert signer.verify_batch([*good, *garbage, *good]) == [True] * 3 + [False] * len(garbage) + [True] * 3
