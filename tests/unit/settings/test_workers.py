"""What each worker makes of the settings that all share."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from palaver.node_directory import WorkerDirectory
from palaver.settings import ClusterSettings, GatewaySettings, NodeSettings, Settings, Worker, worker_settings

PORTS = (7890, 7900, 7910)
SIDE_PORTS = (7881, 7891, 7901)
ROOMS = [f"room-{number}" for number in range(900)]


def shared(**cluster: object) -> Settings:
    return Settings(
        node=NodeSettings(name="a", state_dir="/state"),
        gateway=GatewaySettings(workers=3),
        cluster=ClusterSettings(**cluster),  # type: ignore[arg-type]
    )


def directory(number: int, **gateway: str) -> WorkerDirectory:
    return WorkerDirectory(
        "a", 0.0, Worker(number, 7880, PORTS, SIDE_PORTS), GatewaySettings(workers=3, **gateway)
    )  # type: ignore[arg-type]


def test_the_first_worker_has_the_ports_as_set_and_each_has_its_own_name_and_state() -> None:
    first, third = (worker_settings(shared(), Worker(number, 7880, PORTS, SIDE_PORTS)) for number in (1, 3))
    assert (first.gateway.port, first.http.port, first.cluster.port) == (7880, 7881, 7882)
    assert (third.gateway.port, third.http.port, third.cluster.port) == (7880, 7901, 7902)
    assert (first.node.name, third.node.name) == ("a-1", "a-3")
    assert (first.node.state_dir, third.node.state_dir) == ("/state/node-1", "/state/node-3")


def test_in_a_cluster_the_others_greet_the_first_worker_beside_the_seeds() -> None:
    settings = shared(enabled=True, seeds=("192.0.2.1:7882",))
    first, second = (worker_settings(settings, Worker(number, 7880, PORTS, SIDE_PORTS)) for number in (1, 2))
    assert first.cluster.seeds == ("192.0.2.1:7882",)
    assert second.cluster.seeds == ("192.0.2.1:7882", "127.0.0.1:7882")


def test_every_room_has_one_owner_that_all_workers_agree_on() -> None:
    workers = [directory(number) for number in (1, 2, 3)]
    owners: Counter[int] = Counter()
    for room in ROOMS:
        told = [worker.elsewhere(room, "example.org") for worker in workers]
        (owner,) = [number for number, url in enumerate(told) if url is None]
        urls = {url for url in told if url is not None}
        assert urls == {f"ws://example.org:{PORTS[owner]}/v1"}
        owners[owner] += 1
    assert min(owners.values()) > len(ROOMS) / 5, "each has about its share"


@pytest.mark.parametrize(
    ("gateway", "url"),
    [
        ({"tls_certificate": "c.pem"}, r"wss://\[::1\]:79[01]0/v1"),
        ({"worker_url": "wss://example.org/{worker}/v1"}, r"wss://example\.org/[23]/v1"),
        ({"worker_url": "wss://example.org:{port}"}, r"wss://example\.org:79[01]0"),
    ],
)
def test_the_address_of_a_worker_is_as_the_settings_say(gateway: dict[str, str], url: str) -> None:
    told = [directory(1, **gateway).elsewhere(room, "[::1]") for room in ROOMS]
    named = {each for each in told if each is not None}
    assert len(named) == 2
    assert all(re.fullmatch(url, each) for each in named)
