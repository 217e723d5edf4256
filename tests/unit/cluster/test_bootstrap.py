"""BootstrapConfig: addresses, names and files become addresses to greet."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from palaver.cluster import BootstrapConfig, ClusterManager, ClusterMember, member
from palaver.cluster.bootstrap import MAX_SEEDS
from palaver.core import ArgumentError, ClusterDriver, KeyManager
from palaver.errors import SettingsError
from palaver.settings.cluster import ClusterSettings


def dns(host: str, port: int) -> list[tuple[str, int]]:
    known = {"seeds.example": ["192.0.2.1", "192.0.2.2"], "one.example": ["192.0.2.1"]}
    if host not in known:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return [(address, port) for address in known[host]]


def test_addresses_are_taken_as_they_stand_and_a_port_may_be_left_out() -> None:
    config = BootstrapConfig(["192.0.2.7:7000", "192.0.2.8", "[2001:db8::1]:7001"], resolver=dns)
    assert config.get_seed_nodes() == [("192.0.2.7", 7000), ("192.0.2.8", 7882), ("2001:db8::1", 7001)]


def test_a_name_is_all_its_addresses_and_each_address_counts_once() -> None:
    config = BootstrapConfig(["one.example:7000", "seeds.example:7000"], resolver=dns)
    assert config.get_seed_nodes() == [("192.0.2.1", 7000), ("192.0.2.2", 7000)]


def test_a_file_has_one_a_line_and_may_change(tmp_path: Path) -> None:
    file = tmp_path / "seeds"
    config = BootstrapConfig([f"file:{file}"], resolver=dns)
    assert config.get_seed_nodes() == []
    assert config.problems == (f"{file}: No such file or directory",)
    file.write_text("# ours\n192.0.2.7:7000  # the first\n\nseeds.example\n")
    assert config.get_seed_nodes() == [("192.0.2.7", 7000), ("192.0.2.1", 7882), ("192.0.2.2", 7882)]
    assert config.problems == ()


def test_what_cannot_be_looked_up_is_passed_over_and_told() -> None:
    config = BootstrapConfig(["nobody.example:1", "192.0.2.7:1"], resolver=dns)
    assert config.get_seed_nodes() == [("192.0.2.7", 1)]
    assert config.problems == ("seed nobody.example:1: Name or service not known",)


def test_a_bad_line_of_a_file_does_not_cost_the_others(tmp_path: Path) -> None:
    file = tmp_path / "seeds"
    file.write_text("http://x/\n192.0.2.7:1\n")
    config = BootstrapConfig([f"file:{file}"], resolver=dns)
    assert config.get_seed_nodes() == [("192.0.2.7", 1)]
    assert "not 'http://x/'" in config.problems[0]


def test_more_than_the_engine_greets_are_cut_off_and_told() -> None:
    config = BootstrapConfig([f"192.0.2.{n}:{p}" for n in range(1, 65) for p in (1, 2)], resolver=dns)
    assert len(config.get_seed_nodes()) == MAX_SEEDS
    assert config.problems == ("there are 128 seeds; the first 64 are used",)


@pytest.mark.parametrize("seed", ["", "a b", "host:0", "host:65536", "[::g]:1", "http://host", "::1:7000"])
def test_an_entry_that_is_none_is_refused_at_once(seed: str) -> None:
    with pytest.raises(SettingsError):
        BootstrapConfig([seed])


def test_the_interval_is_above_zero() -> None:
    assert BootstrapConfig(gossip_interval=0.5).get_gossip_interval() == 0.5
    with pytest.raises(ValueError, match="above zero"):
        BootstrapConfig(gossip_interval=0.0)


def test_the_system_knows_loopback() -> None:
    assert ("127.0.0.1", 7000) in BootstrapConfig(["localhost:7000"]).get_seed_nodes()


@pytest.mark.parametrize("node", ["127.0.0.1:7882", ("127.0.0.1",), ("localhost", 7882), ("127.0.0.1", 0)])
def test_a_manager_says_what_an_address_is(node: object) -> None:
    manager = ClusterManager(ClusterDriver(KeyManager(), cluster="t"), "me")
    with pytest.raises(ArgumentError, match="an address is"):
        manager.join(node)  # type: ignore[arg-type]
    assert manager.seeds == ()


def test_the_interval_reaches_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, object] = {}

    def driver(*arguments: object, **named: object) -> None:
        given.update(named)
        raise InterruptedError

    monkeypatch.setattr(BootstrapConfig, "get_gossip_interval", lambda self: 0.35)
    monkeypatch.setattr(member, "ClusterDriver", driver)
    with pytest.raises(InterruptedError):
        ClusterMember(ClusterSettings(), name="a")
    assert given["settings"] == {"gossip_interval": 0.35}
