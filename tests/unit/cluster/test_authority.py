"""The authority lets nodes in, renews its key and revokes; nodes believe its notices and nobody else's."""

from __future__ import annotations

import stat
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from palaver.cluster import Authority, read_invitation
from palaver.cluster import authority as module
from palaver.cluster.credential_keeper import CredentialKeeper
from palaver.cluster.notice import AuthoritySet, NoticeError, sign_notice
from palaver.core import KeyManager
from palaver.errors import SettingsError
from palaver.settings.cluster import ClusterSettings

YEAR = 31_536_000


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path / "authority", "test")


def invited(authority: Authority, directory: Path) -> CredentialKeeper:
    token = authority.invite(name="a", ttl_seconds=YEAR, seeds=["192.0.2.1:7882"]).token()
    return CredentialKeeper(ClusterSettings(invitation=token), directory)


def test_the_authority_is_its_owners_only_and_is_never_replaced(authority: Authority) -> None:
    for path in authority.directory.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(authority.directory.stat().st_mode) == 0o700
    with pytest.raises(SettingsError, match="there is an authority already"):
        Authority.create(authority.directory, "test")
    assert Authority.open(authority.directory).ledger == authority.ledger


def test_a_key_that_others_may_read_is_not_used(authority: Authority) -> None:
    next(authority.directory.glob("*.key")).chmod(0o644)
    with pytest.raises(SettingsError, match="others may read it"):
        authority.invite(name="a", ttl_seconds=YEAR)


def test_an_invitation_makes_a_node_that_stays_the_same(authority: Authority, tmp_path: Path) -> None:
    keeper = invited(authority, tmp_path / "a")
    assert keeper.cluster == "test"
    assert keeper.seeds == ("192.0.2.1:7882",)
    assert keeper.admission()["authorities"] == list(authority.trusted)
    again = CredentialKeeper(ClusterSettings(admission="authorities"), tmp_path / "a")
    assert again.keys.node_id == keeper.keys.node_id
    assert again.admission() == keeper.admission()
    assert authority.ledger.nodes[0].node_id == keeper.keys.node_id


def test_a_token_never_makes_a_second_node(authority: Authority, tmp_path: Path) -> None:
    token = authority.invite(name="a", ttl_seconds=YEAR).token()
    settings = ClusterSettings(invitation=token)
    first, second = (CredentialKeeper(settings, tmp_path / name) for name in ("a", "b"))
    assert first.keys.node_id == second.keys.node_id
    other = authority.invite(name="c", ttl_seconds=YEAR).token()
    with pytest.raises(SettingsError, match="the invitation is for another node"):
        CredentialKeeper(ClusterSettings(invitation=other), tmp_path / "a")


def test_an_invited_public_key_needs_no_secret_in_the_token(authority: Authority, tmp_path: Path) -> None:
    keys = CredentialKeeper(ClusterSettings(), tmp_path / "a").keys
    invitation = authority.invite(name="a", ttl_seconds=YEAR, public_key=keys.public_key)
    assert invitation.private_key == b""
    keeper = CredentialKeeper(ClusterSettings(invitation=invitation.token()), tmp_path / "a")
    assert keeper.keys.node_id == keys.node_id
    with pytest.raises(SettingsError, match="is for another node"):
        CredentialKeeper(ClusterSettings(invitation=invitation.token()), tmp_path / "b")


def test_a_token_that_has_run_out_is_refused(authority: Authority, tmp_path: Path) -> None:
    token = authority.invite(name="a", ttl_seconds=-1).token()
    with pytest.raises(SettingsError, match="has run out"):
        CredentialKeeper(ClusterSettings(invitation=token), tmp_path / "a")


@pytest.mark.parametrize("cut", [0, 20, 100])
def test_a_damaged_token_is_refused_and_not_shown(authority: Authority, cut: int) -> None:
    token = authority.invite(name="a", ttl_seconds=YEAR).token()[:cut]
    with pytest.raises(SettingsError) as caught:
        read_invitation(token)
    assert len(token) < 20 or token[-10:] not in str(caught.value)


def test_rotation_reaches_a_running_node_and_the_disk(authority: Authority, tmp_path: Path) -> None:
    keeper = invited(authority, tmp_path / "a")
    before, old_ticket = authority.trusted[0], keeper.admission()["ticket"]
    changed = [keeper.take(notice) for notice in authority.rotate()]
    assert changed == ["authorities, set 2", "", "ticket"]
    assert keeper.authorities == authority.trusted
    assert keeper.authorities[1] == before
    assert keeper.admission()["ticket"] != old_ticket
    again = CredentialKeeper(ClusterSettings(admission="authorities"), tmp_path / "a")
    assert again.admission() == keeper.admission()


def test_a_revoked_key_counts_no_more(authority: Authority, tmp_path: Path) -> None:
    keeper = invited(authority, tmp_path / "a")
    old = authority.ledger.keys[0]
    stolen = KeyManager(bytes.fromhex((authority.directory / f"{old.id}.key").read_text().strip()))
    for notice in authority.rotate():
        keeper.take(notice)
    for notice in authority.revoke_key(old.id):
        keeper.take(notice)
    assert keeper.authorities == (bytes.fromhex(authority.ledger.keys[0].public_key),)
    forged = sign_notice(AuthoritySet(99, (stolen.public_key,)), stolen, "test")
    with pytest.raises(NoticeError, match="nobody whose word counts"):
        keeper.take(forged)
    with pytest.raises(SettingsError, match="is the key that signs"):
        authority.revoke_key(authority.ledger.keys[0].id)


def test_a_node_that_missed_a_rotation_believes_the_next_and_no_older_set(
    authority: Authority, tmp_path: Path
) -> None:
    keeper = invited(authority, tmp_path / "a")
    first = authority.rotate()
    second = authority.rotate()
    for notice in second:
        keeper.take(notice)
    assert keeper.take(first[0]) == ""
    assert keeper.credentials is not None
    assert keeper.credentials.serial == 3


def test_a_notice_counts_by_its_signature_and_for_its_cluster(authority: Authority, tmp_path: Path) -> None:
    keeper = invited(authority, tmp_path / "a")
    (notice, *_) = authority.notices()
    tampered = notice[:-1] + bytes([notice[-1] ^ 1])
    for bad in (tampered, notice[:20], b"PN1"):
        with pytest.raises(NoticeError):
            keeper.take(bad)
    signer = KeyManager(bytes.fromhex(next(authority.directory.glob("*.key")).read_text().strip()))
    foreign = sign_notice(AuthoritySet(9, authority.trusted), signer, "another")
    with pytest.raises(NoticeError, match="signature"):
        keeper.take(foreign)


def test_another_nodes_ticket_is_not_taken(authority: Authority, tmp_path: Path) -> None:
    keepers = [invited(authority, tmp_path / name) for name in ("a", "b")]
    notices = authority.rotate()
    for keeper in keepers:
        changed = [keeper.take(notice) for notice in notices]
        assert sorted(changed) == ["", "", "authorities, set 2", "ticket"]


def test_a_banned_node_is_not_invited_again(authority: Authority) -> None:
    invitation = authority.invite(name="a", ttl_seconds=YEAR)
    node = authority.ledger.nodes[0].node_id
    assert len(authority.ban(node)) == 120
    with pytest.raises(SettingsError, match="is banned"):
        authority.invite(name="a", ttl_seconds=YEAR, public_key=invitation.public_key)


def test_admission_by_authorities_without_an_invitation_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"palaver cluster invite --key [0-9a-f]{64}"):
        CredentialKeeper(ClusterSettings(admission="authorities"), tmp_path)


def test_a_ticket_that_has_run_out_says_what_to_do(authority: Authority, tmp_path: Path) -> None:
    keeper = invited(authority, tmp_path / "a")
    assert keeper.credentials is not None
    past = (int(time.time()) - 10).to_bytes(8, "little")
    store = keeper._store
    assert store is not None
    store.save(replace(keeper.credentials, ticket=past + keeper.credentials.ticket[8:]))
    with pytest.raises(SettingsError, match="ticket has run out"):
        CredentialKeeper(ClusterSettings(admission="authorities"), tmp_path / "a")


def test_a_ticket_that_comes_before_the_key_that_signed_it_is_taken_later(
    authority: Authority, tmp_path: Path
) -> None:
    keeper = invited(authority, tmp_path / "a")
    *sets, ticket = authority.rotate()
    with pytest.raises(NoticeError, match="nobody whose word counts"):
        keeper.take(ticket)
    assert keeper.take(sets[0]) == "authorities, set 2"
    assert keeper.retry() == ["ticket"]
    assert keeper.retry() == []


def test_a_full_ledger_loses_whose_ticket_has_run_out_and_keeps_whom_it_banned(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority.invite(name="ended", ttl_seconds=-10)
    authority.ban(authority.ledger.nodes[0].node_id)
    for _ in range(8):
        authority.invite(name="ended too", ttl_seconds=-10)
    size = (authority.directory / module.LEDGER).stat().st_size
    monkeypatch.setattr(module, "MAX_LEDGER", size)
    authority.invite(name="new", ttl_seconds=YEAR)
    assert [node.name for node in authority.ledger.nodes] == ["ended", "new"]
    assert Authority.open(authority.directory).ledger == authority.ledger


def test_a_ledger_is_never_written_larger_than_it_is_read(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority.invite(name="a", ttl_seconds=YEAR)
    before = authority.ledger
    monkeypatch.setattr(module, "MAX_LEDGER", (authority.directory / module.LEDGER).stat().st_size)
    with pytest.raises(SettingsError, match=r"is full, with 2 nodes .* nothing was changed"):
        authority.invite(name="b", ttl_seconds=YEAR)
    assert authority.ledger == before
    assert Authority.open(authority.directory).ledger == before


def test_a_ledger_of_a_large_cluster_is_read_back(authority: Authority) -> None:
    authority.invite(name="a", ttl_seconds=YEAR)
    many = replace(authority.ledger, nodes=authority.ledger.nodes * 5_000)  # above a mebibyte
    authority._save(many)
    assert Authority.open(authority.directory).ledger == many


@pytest.mark.parametrize("name", ["", "two words", "x" * 65, "naïve", "tab\t"])
def test_a_cluster_is_called_as_the_settings_allow(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="1 to 64 ASCII characters without blanks"):
        Authority.create(tmp_path / "authority", name)
    assert not (tmp_path / "authority").exists()


@pytest.mark.parametrize(
    ("asked", "rule"),
    [
        ({"name": "\x1b[31mred"}, "a line of at most 256 printable"),
        ({"name": "x" * 257}, "a line of at most 256 printable"),
        ({"name": "a", "seeds": [f"{'x' * 240}:{port}" for port in range(1, 71)]}, "do not fit into a token"),
    ],
)
def test_what_could_not_be_read_back_is_not_invited(
    authority: Authority, asked: dict[str, object], rule: str
) -> None:
    before = authority.ledger
    with pytest.raises(SettingsError, match=rule):
        authority.invite(ttl_seconds=YEAR, **asked)  # type: ignore[arg-type] # by name
    assert authority.ledger == before
