"""Tickets and bans, as an authority signs them."""

from __future__ import annotations

import pytest

from palaver.core import ArgumentError, KeyManager, node_id_of, sign_ban, sign_ticket

AUTHORITY, NODE = KeyManager(bytes([1] * 32)), KeyManager(bytes([2] * 32))


def test_a_ticket_is_its_end_and_a_signature_over_cluster_key_and_end() -> None:
    ticket = sign_ticket(AUTHORITY, "c", NODE.public_key, 1_000)
    assert int.from_bytes(ticket[:8], "little") == 1_000
    assert len(ticket) == 72
    others = [
        sign_ticket(AUTHORITY, "d", NODE.public_key, 1_000),
        sign_ticket(AUTHORITY, "c", AUTHORITY.public_key, 1_000),
        sign_ticket(NODE, "c", NODE.public_key, 1_000),
    ]
    assert all(other[8:] != ticket[8:] for other in others)


def test_a_ban_begins_with_the_key_of_who_bans_and_whom() -> None:
    ban = sign_ban(AUTHORITY, "c", NODE.node_id)
    assert ban[:32] == AUTHORITY.public_key
    assert ban[32:48].hex() == NODE.node_id
    assert len(ban) == 120


def test_a_node_id_is_that_of_its_key() -> None:
    assert node_id_of(NODE.public_key) == NODE.node_id


def test_a_key_of_another_size_is_refused() -> None:
    with pytest.raises(ArgumentError, match="public key"):
        sign_ticket(AUTHORITY, "c", b"short", 1)
    with pytest.raises(ArgumentError, match="public key"):
        node_id_of(bytes(33))
