import pytest

from palaver.core import ArgumentError, KeyManager


def test_a_seed_gives_the_key_of_rfc_8032() -> None:
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    manager = KeyManager(seed)
    assert manager.public_key.hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert manager.get_private_key() == seed
    assert len(manager.node_id) == 32


def test_each_new_manager_has_a_key_of_its_own() -> None:
    assert KeyManager().public_key != KeyManager().public_key


def test_the_key_is_not_in_the_repr() -> None:
    manager = KeyManager(b"k" * 32)
    assert repr(manager) == f'KeyManager(node_id="{manager.node_id}")'


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_seed_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(ArgumentError, match=f"a key seed has 32 bytes, not {size}"):
        KeyManager(bytes(size))


def test_what_is_no_signature_or_no_key_is_not_valid() -> None:
    manager = KeyManager()
    signature = manager.sign(b"x")
    assert not manager.verify_signature(b"x", b"")
    assert not manager.verify_signature(b"x", signature + b"\0")
    assert not manager.verify_signature(b"x", signature, b"short")
    assert not manager.verify_signature(b"x", signature, bytes(32))


def test_an_empty_batch_is_an_empty_answer() -> None:
    assert KeyManager().verify_batch([]) == []


def test_rotation_leaves_time_to_learn_the_new_key() -> None:
    manager = KeyManager()
    old_id, signature = manager.node_id, manager.sign(b"x")
    manager.rotate()
    assert manager.node_id != old_id
    assert manager.verify_signature(b"x", signature)
    assert manager.verify_signature(b"x", manager.sign(b"x"))


def test_a_revoked_key_is_never_valid_again() -> None:
    judge, signer = KeyManager(), KeyManager()
    item = (b"x", signer.sign(b"x"), signer.public_key)
    assert judge.trust(signer.public_key)
    assert judge.is_trusted(signer.public_key)
    assert judge.verify_batch([item]) == [True]
    judge.revoke(signer.public_key)
    assert judge.verify_batch([item]) == [False]
    assert not judge.verify_signature(*item)
    assert not judge.trust(signer.public_key)
    assert not judge.is_trusted(signer.public_key)


def test_only_a_key_can_be_trusted() -> None:
    with pytest.raises(ArgumentError, match="a public key has 32 bytes, not 5"):
        KeyManager().trust(b"short")
    with pytest.raises(ArgumentError, match="not an Ed25519 public key"):
        KeyManager().trust(bytes(32))
