import subprocess
import sys

import pytest

from palaver.core import (
    ArgumentError,
    CapacityError,
    DecodeError,
    GossipEnvelope,
    KeyManager,
    PairwiseLinks,
    SignatureError,
)

ADA, BEN = KeyManager(bytes([1]) * 32), KeyManager(bytes([2]) * 32)


def greeted(epoch: int = 1) -> tuple[PairwiseLinks, PairwiseLinks]:
    ada, ben = PairwiseLinks(ADA, cluster="prod", epoch=epoch), PairwiseLinks(BEN, cluster="prod", epoch=9)
    ada.establish(ben.hello)
    ben.establish(ada.hello)
    return ada, ben


def test_who_has_greeted_talks_in_secret() -> None:
    ada, ben = greeted()
    packet = ada.seal(BEN.node_id, b"a secret", type=7)
    assert len(packet) == len(b"a secret") + 64
    assert b"secret" not in packet
    opened = ben.open(packet)
    assert opened is not None
    assert (opened.sender_id, opened.type, opened.payload) == (ADA.node_id, 7, b"a secret")
    assert (opened.epoch, opened.seq) == (1, 0)


def test_a_packet_is_opened_once() -> None:
    ada, ben = greeted()
    packet = ada.seal(BEN.node_id, b"x")
    assert ben.open(packet) is not None
    assert ben.open(packet) is None
    ben.establish(ada.hello)
    assert ben.open(packet) is None


def test_admission_is_asked_before_the_link_is_made() -> None:
    ada = PairwiseLinks(ADA, cluster="prod")
    assert PairwiseLinks.greeter(ada.hello, cluster="prod") == ADA.public_key
    with pytest.raises(DecodeError, match="another cluster"):
        PairwiseLinks.greeter(ada.hello, cluster="test")


def test_nobody_talks_without_a_greeting() -> None:
    ada, ben = greeted()
    stranger = PairwiseLinks(KeyManager(), cluster="prod")
    with pytest.raises(SignatureError, match="greet first"):
        stranger.seal(ADA.node_id, b"x")
    stranger.establish(ada.hello)
    with pytest.raises(SignatureError, match="greet first"):
        ada.open(stranger.seal(ADA.node_id, b"x"))
    assert ADA.node_id in ben and stranger.node_id not in ben
    assert ben.forget(ADA.node_id) and len(ben) == 0
    with pytest.raises(SignatureError):
        ben.open(ada.seal(BEN.node_id, b"x"))


def test_a_restarted_node_greets_with_a_later_epoch() -> None:
    ada, ben = greeted(epoch=4)
    reborn = PairwiseLinks(ADA, cluster="prod", epoch=5)
    assert ben.establish(reborn.hello) == ADA.node_id
    with pytest.raises(SignatureError):
        ben.open(ada.seal(BEN.node_id, b"of the old life"))
    with pytest.raises(SignatureError, match="not later"):
        ben.establish(ada.hello)


def test_what_is_no_packet_and_what_is_too_much_is_refused() -> None:
    ada, ben = greeted()
    with pytest.raises(DecodeError):
        ben.open(b"")
    with pytest.raises(DecodeError, match="another algorithm"):
        ben.open(GossipEnvelope(1, b"", ADA, cluster="prod").encode())
    with pytest.raises(DecodeError, match="another algorithm"):
        GossipEnvelope.decode(ada.seal(BEN.node_id, bytes(100)), cluster="prod")
    with pytest.raises(ArgumentError, match="at most 1048576"):
        ada.seal(BEN.node_id, bytes(2**20 + 1))
    full = PairwiseLinks(BEN, cluster="prod", max_peers=1)
    full.establish(ada.hello)
    with pytest.raises(CapacityError):
        full.establish(PairwiseLinks(KeyManager(), cluster="prod").hello)


def test_a_link_is_confirmed_by_a_packet_and_forgetting_makes_no_old_packet_new() -> None:
    ada, ben = greeted()
    packet = ada.seal(BEN.node_id, b"x")
    assert not ben.is_confirmed(ADA.node_id)
    assert ben.open(packet) is not None
    assert ben.is_confirmed(ADA.node_id)
    ben.forget(ADA.node_id)
    ben.establish(ada.hello)
    assert ben.open(packet) is None


FORKED = """
import os
from palaver.core import ArgumentError, KeyManager, PairwiseLinks
ada, ben = KeyManager(), KeyManager()
here, there = PairwiseLinks(ada), PairwiseLinks(ben)
here.establish(there.hello)
if os.fork() == 0:
    try:
        here.seal(ben.node_id, b"with the nonce of the parent's next packet")
    except ArgumentError:
        os._exit(7)
    os._exit(0)
here.seal(ben.node_id, b"x")
raise SystemExit(os.waitstatus_to_exitcode(os.wait()[1]))
"""


def test_a_forked_process_seals_nothing_with_its_parents_key() -> None:
    assert subprocess.run([sys.executable, "-c", FORKED], check=False).returncode == 7
